"""Labels in a table beside a folder of images, as in Kaggle's competitions."""

import csv
from collections.abc import Iterable
from pathlib import Path

from minimixer.data.arrays import listed
from minimixer.data.dataset import DataError
from minimixer.data.notes import Notes, several
from minimixer.files import FileRefusedError, read_text
from minimixer.text import printable

TABLES = ("trainlabels.csv", "train_labels.csv", "labels.csv", "train.csv")         # in any case
FOLDERS = ("train", "train_images", "images", "")       # where the images may lie, beside the table
LABELS = ("label", "labels", "class", "category", "breed", "species", "target")     # names of the column


def table_in(files: Iterable[Path]) -> Path | None:
    """The table of labels among some files; None if there is none."""
    return next((file for name in TABLES for file in files if file.name.casefold() == name), None)


def classes_of(table: Path, images: list[Path], notes: Notes) -> dict[str, list[Path]]:
    """Class -> its files, by a table with a row per image; empty if it is about other files.

    The first column names an image, with or without its suffix; the label is in the column ``label`` (or a similar
    name), or in the second one.

    Raises
    ------
    DataError
        If the table cannot be read, or labels an image twice in different ways.
    """
    header, *rows = _rows(table)
    names = [name.strip().casefold() for name in header]
    column = next((names.index(name) for name in LABELS if name in names), 1)
    by_name = {name: image for image in images for name in (image.stem, image.name)}
    found: dict[Path, str] = {}
    missing = []
    for row in rows:
        if len(row) <= column:
            continue
        image, label = by_name.get(row[0].strip()), row[column].strip()
        if image is None:
            missing.append(row[0])
        elif found.setdefault(image, label) != label:
            raise DataError(f"{printable(table, None)} gives {printable(image.name)} two labels, "
                            f"{printable(found[image])} and {printable(label)}: keep one of the rows")
    if not found:
        return {}
    notes.append(f"the labels are those of {table.name}")
    if missing:
        notes.append(f"{several(len(missing), 'row', 'rows')} of {table.name} without an image: {listed(missing)}")
    if unlabeled := [image.name for image in images if image not in found]:
        notes.append(f"not used, because {table.name} has no label for it: {listed(unlabeled)}")
    classes: dict[str, list[Path]] = {}
    for image in images:
        if image in found:
            classes.setdefault(found[image], []).append(image)
    return classes


def _rows(table: Path) -> list[list[str]]:
    try:
        rows = [row for row in csv.reader(read_text(table).splitlines()) if row]
    except (FileRefusedError, OSError, csv.Error) as error:
        raise DataError(f"{printable(table, None)} cannot be read: {printable(error)}") from error
    if not rows:
        raise DataError(f"{printable(table, None)} is empty: expected a row per image, with its name and its label")
    return rows
