"""Images as rows of numbers in a .csv file, such as ``mnist_train.csv`` and ``fashion-mnist_train.csv``."""

import csv
from pathlib import Path

import numpy as np

from minimixer.backend import Array
from minimixer.data.arrays import assemble
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.memory import check_memory
from minimixer.data.notes import Notes
from minimixer.files import FileRefusedError, check_regular
from minimixer.text import printable

LABEL = ("label", "class", "target")
FEWEST = 16             # pixels of a row
LONGEST = 1 << 20       # bytes of a first line


def is_pixel_table(path: Path) -> bool:
    """Whether a file begins like a table of pixels: a label and at least 16 numbers in a row."""
    try:
        header, first = _start(path)
        return len(header) > FEWEST and len(first) == len(header) and all(_is_number(cell) for cell in first[1:])
    except (OSError, ValueError, csv.Error):
        return False


def load_pixel_table(path: Path, notes: Notes, *, validation: float, test_share: float, seed: int) -> Dataset:
    """Read a table, and the one of the other part that lies beside ``..train.csv``.  Raises DataError."""
    parts = {"train": _read(path)}
    other = path.with_name(path.name.replace("train", "test"))
    if other != path and is_pixel_table(other):
        if _label_column(*_start(other)) is None:
            notes.append(f"{other.name} has no labels, so it is not used")
        else:
            notes.append(f"{other.name} is the test part")
            parts["test"] = _read(other)
    return assemble(parts, None, notes, path, validation=validation, test_share=test_share, seed=seed)


def _start(path: Path) -> tuple[list[str], list[str]]:
    """The first row, or the names of the columns, and the first row of numbers."""
    check_regular(path)
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = [next(csv.reader([file.readline(LONGEST)]), []) for _ in range(2)]
    return (rows[0], rows[1]) if not all(_is_number(cell) for cell in rows[0]) else (rows[0], rows[0])


def _is_number(cell: str) -> bool:
    return cell.strip().isdigit()


def _label_column(header: list[str], first: list[str]) -> int | None:
    """The column of the labels: by its name, or the first one of a table without names; None if it has none."""
    if header == first:
        return 0
    names = [name.strip().casefold() for name in header]
    return next((names.index(name) for name in LABEL if name in names), None)


def _read(path: Path) -> tuple[Array, Array]:
    """Rows of pixels (N, pixels) uint8 and labels (N,).  Raises DataError."""
    shown = printable(path, None)
    try:
        check_regular(path)
        header, first = _start(path)
        column = _label_column(header, first)
        if column is None:
            raise DataError(f"{shown} has no column of labels: expected one named label")
        check_memory(2 * path.stat().st_size, f"the numbers in {shown}", "store them as .npz, as uint8")
        table = np.loadtxt(path, np.uint8, delimiter=",", skiprows=int(header != first), encoding="utf-8-sig", ndmin=2)
    except (FileRefusedError, OSError) as error:
        raise DataError(f"{shown} cannot be read: {error}") from error
    except ValueError as error:
        raise DataError(f"{shown} is no table of pixels in 0..255 ({printable(error)}): expected a label and pixels in "
                        "every row") from error
    return np.delete(table, column, axis=1), table[:, column].astype(np.int64)     # (N, pixels), (N,)
