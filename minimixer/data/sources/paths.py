"""Finds out what lies at a path, and reads it."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from minimixer.data.arrays import divided, listed
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.file_kinds import FIRST, IMAGE, kind_of
from minimixer.data.notes import Notes
from minimixer.data.sources import cifar
from minimixer.data.sources.cifar_editions import EDITIONS
from minimixer.data.sources.idx import FILE, find_idx, load_idx
from minimixer.data.sources.members import read_tar
from minimixer.data.sources.mnist import recognize
from minimixer.data.sources.npz import load_npz
from minimixer.data.sources.pixel_table import is_pixel_table, load_pixel_table
from minimixer.errors import explain
from minimixer.files import FileRefusedError, check_regular
from minimixer.text import printable

ARRAYS = ".npy", ".mat", ".h5", ".hdf5", ".pt", ".pth", ".pkl", ".pickle", ".parquet", ".csv", ".tsv", ".arrow"
TAR = b"ustar"
TAR_AT = 257            # where it stands in an archive that is not gzipped


def load_path(path: Path, notes: Notes, **options: Any) -> Dataset | None:
    """The data set at a path; None for a folder that is none of those known here, and so may hold class folders.

    Parameters
    ----------
    path : Path
        A file or folder that exists.
    notes : Notes
    **options
        validation, test_share and seed of ``assemble``.

    Raises
    ------
    DataError
        If it is damaged, or a file of a kind that is not read.
    """
    try:
        return _load_folder(path, notes, options) if path.is_dir() else _load_file(path, notes, options)
    except OSError as error:
        raise DataError(f"{printable(path, None)} cannot be read: {explain(error)}") from error


def _load_folder(path: Path, notes: Notes, options: dict[str, Any]) -> Dataset | None:
    for folder in (path, path / "raw", *sorted(path.glob("*/raw"))):        # torchvision's are MNIST/raw
        if folder.is_dir() and find_idx(folder):
            return _idx(folder, notes, options)
    found = {name: place for name, pair in EDITIONS.items() for edition in pair
             if (place := cifar.in_place(edition, path)) is not None}
    if len(found) > 1:
        raise DataError(f"{printable(path, None)} holds {' and '.join(found)}: name one of them, with data_dir "
                        "(--data-dir) for the folder")
    if found:
        return _cifar(*found.popitem(), notes, options)
    inside = sorted(path.iterdir())
    tables = [] if any(map(Path.is_dir, inside)) else [file for file in inside if file.suffix.casefold() == ".csv"
                                                       and is_pixel_table(file)]
    training = [file for file in tables if "train" in file.name] or tables
    return load_pixel_table(training[0], notes, **options) if training else None


def _load_file(path: Path, notes: Notes, options: dict[str, Any]) -> Dataset:
    try:
        check_regular(path)
    except FileRefusedError as error:
        raise DataError(str(error)) from None
    with open(path, "rb") as file:
        first = file.read(FIRST)
    if path.suffix.casefold() == ".npz":
        return load_npz(path, notes, **options)
    if FILE.fullmatch(path.name):
        return _idx(path.parent, notes, options)
    if path.suffix.casefold() == ".csv" and is_pixel_table(path):
        return load_pixel_table(path, notes, **options)
    if first[:2] == b"\x1f\x8b" or first[TAR_AT:TAR_AT + len(TAR)] == TAR:
        return _cifar(_name_of_archive(path), path, notes, options)
    _refuse(path, first)


def _refuse(path: Path, first: bytes) -> NoReturn:
    shown, kind = printable(path, None), kind_of(first)
    if path.suffix.casefold() in ARRAYS:
        raise DataError(f"{shown} is no kind of file that is read here: read it in Python, and give images and labels "
                        "to mm.data.from_arrays, or save both as one .npz")
    if IMAGE.match(first):
        raise DataError(f"{shown} is one image: name the folder that holds the class folders")
    if kind is not None and "archive" in kind[0]:
        raise DataError(f"{shown} is {kind[0]}: unpack it, and name the folder")
    raise DataError(f"{shown} is {f'{kind[0]}, and ' if kind else ''}no data set that is known here: expected a folder "
                    "of images in class folders, an .npz file, IDX files, or CIFAR's archive")


def _idx(folder: Path, notes: Notes, options: dict[str, Any]) -> Dataset:
    files = find_idx(folder)
    family = recognize(files)
    if family is not None:
        notes.append(f"its labels are those of {family.title}, and so are its class names")
    return load_idx(folder, files, family.class_names if family else None, notes, **options)


def _cifar(name: str, path: Path, notes: Notes, options: dict[str, Any]) -> Dataset:
    return divided(replace(cifar.load(name, path), name=notes.name), notes, **options)


def _name_of_archive(path: Path) -> str:
    """Which CIFAR an archive holds.  Raises DataError if it is none."""
    wanted = {(edition.folder, file): name for name, pair in EDITIONS.items() for edition in pair
              for file in edition.files}

    def refuse(where: Path, what: str) -> NoReturn:
        raise DataError(f"{printable(f'{where} {what}', None)}: if it is an archive of images, unpack it and name the "
                        f"folder; of all archives only those of {listed(list(EDITIONS))} are read as they are")

    for place, _ in read_tar(path, wanted, refuse):
        return wanted[place]
    refuse(path, "holds no files of CIFAR")
