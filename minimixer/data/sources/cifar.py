"""CIFAR-10 and CIFAR-100, from their binary files or from the pickles of their Python edition, unpacked or not.

Opening a pickle usually can run any code; here ``safe_pickle`` reads it, which executes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from minimixer.backend import Array
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.places import cache_folder, usual_places
from minimixer.data.sources.cifar_editions import CIFAR10, CIFAR100, EDITIONS, PAGE, Archive
from minimixer.data.sources.cifar_records import decode_names, decode_records
from minimixer.data.sources.members import read_folder, read_tar
from minimixer.text import printable


def load_cifar10(data_dir: str | Path | None = None, *, download: bool = False) -> Dataset:
    """CIFAR-10: 50,000 training and 10,000 test color images of 32 x 32 pixels in 10 classes.

    Parameters
    ----------
    data_dir : str or Path, optional
        The folder of the files, a folder that holds ``cifar-10-batches-bin``, ``cifar-10-batches-py`` or the .tar.gz or
        .tar of one of them, or that archive.  By default $MINIMIXER_DATA, ``data`` and the cache folder
        ($MINIMIXER_CACHE or the system's) are searched, in this order.
    download : bool
        If nothing is found, download the archive (170 MB) into `data_dir`, by default into the cache folder.

    Returns
    -------
    Dataset
        Images uint8 (N, 32, 32, 3), C-contiguous; labels int64 (N,).  N follows from the files.  Both editions give the
        same arrays.

    Raises
    ------
    DataError
        If the files are missing, damaged or cannot be downloaded.
    """
    return load(CIFAR10.name, data_dir, download)


def load_cifar100(data_dir: str | Path | None = None, *, download: bool = False) -> Dataset:
    """CIFAR-100 with its fine classes: as `load_cifar10`, with ``cifar-100-binary`` or ``cifar-100-python``."""
    return load(CIFAR100.name, data_dir, download)


def load(name: str, data_dir: str | Path | None = None, download: bool = False) -> Dataset:
    """As ``load_cifar10``, by name."""
    editions = EDITIONS[name]
    first, other = editions
    found: dict[Archive, dict[str, Any]] = {edition: {} for edition in editions}    # file name -> what it holds
    try:
        source = find(first, data_dir, download)
        for edition, file, content in _members(editions, source):
            decode = decode_names if file == edition.names_file else decode_records
            found[edition][file] = decode(edition, content, partial(_damaged, edition, source / file))
    except OSError as error:
        raise DataError(f"{first.title} cannot be read: {error}") from error
    edition = max(editions, key=lambda each: sum(file in found[each] for file in each.files))
    parts = found[edition]
    if not any(file in parts for file in edition.files):
        raise _damaged(first, source, f"holds no file of {first.title}, such as {first.files[0]} (binary version) or "
                                      f"{other.files[0]} (Python version)")
    if missing := [file for file in edition.files if file not in parts]:
        raise _damaged(edition, source, f"has no file {', '.join(missing)}")
    return Dataset(name, *_joined(parts, edition.train_files), *_joined(parts, edition.test_files),
                   parts.get(edition.names_file, edition.class_names), source)


def _joined(parts: Mapping[str, Any], files: Sequence[str]) -> tuple[Array, Array]:
    images, labels = zip(*(parts[file] for file in files), strict=True)
    return np.concatenate(images), np.concatenate(labels)   # (N, 32, 32, 3), (N,)


def _damaged(archive: Archive, path: Path, what: str) -> DataError:
    return DataError(f"{printable(f'{path} {what}', None)}; unpack or download {archive.tarball} again")


def _members(editions: Sequence[Archive], source: Path) -> Iterator[tuple[Archive, str, bytes]]:
    """Edition, name and content of the files in a folder or archive."""
    def refuse(path: Path, what: str) -> NoReturn:
        raise _damaged(editions[0], path, what)

    if source.is_dir():
        edition = max(editions, key=lambda each: sum((source / file).is_file() for file in each.files))
        for file, content in read_folder(source, (edition.names_file, *edition.files), refuse):
            yield edition, file, content
        return
    wanted = {(edition.folder, file): edition for edition in editions for file in (edition.names_file, *edition.files)}
    for place, content in read_tar(source, wanted, refuse):
        yield wanted[place], place[1], content


def find(archive: Archive, data_dir: str | Path | None, download: bool) -> Path:
    """The folder or archive to read, downloaded if asked.  Raises DataError if there is none.

    Any edition is found; ``archive`` is the one that is downloaded.
    """
    editions = EDITIONS[archive.name]
    places = usual_places(data_dir)
    others = {name for pair in EDITIONS.values() for each in pair for name in each.tarballs if pair != editions}
    places = [place.parent if place.name in others else place for place in places]         # side by side
    for place in places:
        if place.is_file():
            return place
        for edition in editions:
            if (found := in_place(edition, place)) is not None:
                return found
    if download:
        from minimixer.data.download import download as fetch  # here, because requests is slow to import

        if not (data_dir or cache_folder()):
            raise DataError("no home folder is known, so there is no cache folder: name a folder with --data-dir, or "
                            "set MINIMIXER_CACHE")
        target = places[-1] if places[-1].suffix == ".gz" else places[-1] / archive.tarball
        return fetch(archive.url, target, sha256=archive.sha256, size=archive.size)
    raise DataError(f"""{archive.title} was not found in {", ".join(map(str, places))}.
To get {archive.tarball} ({archive.size / 1e6:.0f} MB), use one of:
  minimixer data download {archive.name}, or python -m minimixer.train {archive.name} --download
  a browser at {PAGE} (the binary or the Python version), then --data-dir FOLDER
Without a network, the digits need no files: python -m minimixer.train digits""")


def in_place(edition: Archive, place: Path) -> Path | None:
    """The folder or archive of an edition in a folder, or one folder deeper; None if there is none."""
    # A second download is unpacked to "cifar-10-batches-bin 2".
    candidates = [place, place / edition.folder, *sorted(place.glob(f"{edition.folder}*")),
                  *sorted(place.glob(f"*/{edition.folder}"))]
    for folder in candidates:
        # Files called "train" and "test" may be anything, unless their folder has the right name, or they are complete.
        common = "train" in edition.files and not folder.name.startswith(edition.folder)
        needed = (*edition.files, edition.names_file) if common else edition.files
        if (all if common else any)((folder / name).is_file() for name in needed):
            return folder
    return next((place / name for name in edition.tarballs if (place / name).is_file()), None)
