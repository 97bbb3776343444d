"""The data sets that minimixer knows by name: what they are, where they are, whether they are whole."""

import hashlib
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

import numpy as np

from minimixer.data.cifar import CIFAR10, CIFAR100, PAGE, Archive, find, load_cifar10, load_cifar100
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.digits import load_digits

Name = Literal["digits", "cifar10", "cifar100"]


@dataclass(frozen=True)
class Known:
    """One data set; ``archive`` is what can be fetched, None for the one that comes with a package."""

    content: str
    pictures: int
    source: str
    licence: str
    archive: Archive | None = None


CIFAR_LICENCE = "none is stated; cite the report (Krizhevsky 2009) that its page names"
KNOWN: dict[Name, Known] = {
    "digits": Known("handwritten digits, 8 x 8 pixels, grey, 10 classes", 1797,
                    "https://archive.ics.uci.edu/dataset/80, comes with scikit-learn",
                    "CC BY 4.0, Alpaydin & Kaynak 1998"),
    "cifar10": Known("photographs, 32 x 32 pixels, 10 classes", 60_000, PAGE, CIFAR_LICENCE, CIFAR10),
    "cifar100": Known("photographs, 32 x 32 pixels, 100 classes", 60_000, PAGE, CIFAR_LICENCE, CIFAR100),
}
# Of pixels and labels as bytes, in the order of the file.
DIGITS_SHA256 = "68aea062d35a127749050fa0e52dca09d6569ac08092c925610e0954e172dde2"


def load(name: Name, data_dir: Path | None = None, download: bool = False) -> Dataset:
    """Read a data set by name; the arguments are those of ``load_cifar10``.  Raises DataError."""
    if name == "digits":
        return load_digits()
    return {"cifar10": load_cifar10, "cifar100": load_cifar100}[name](data_dir, download=download)


def locate(name: Name, data_dir: Path | None = None, download: bool = False) -> Path:
    """The file or folder that ``load`` would read, fetched first if asked.  Raises DataError if there is none."""
    archive = KNOWN[name].archive
    if archive is not None:
        return find(archive, data_dir, download)
    with as_file(files("sklearn") / "datasets" / "data" / "digits.csv.gz") as path:
        return path


def verify(name: Name, data_dir: Path | None = None) -> str:
    """Read every record of a data set and compare hashes; one sentence of what was found.

    Raises
    ------
    DataError
        If files are missing or damaged, hold another number of pictures than is official, or have another hash.
    """
    dataset, known = load(name, data_dir), KNOWN[name]
    source = dataset.source or locate(name)
    train, test = len(dataset.train_images), len(dataset.test_images)
    if train + test != known.pictures:
        raise DataError(f"{source} holds {train + test:,} pictures, the official {name} has {known.pictures:,}: it can "
                        "be used, but results do not compare")
    if known.archive is None:
        hashed = _compare("the pixels and labels", _digits_hash(), DIGITS_SHA256)
    elif source.is_file():
        with source.open("rb") as file:
            hashed = _compare(str(source), hashlib.file_digest(file, "sha256").hexdigest(), known.archive.sha256)
    else:
        hashed = "no sha256 is published for unpacked files"
    return f"{name}: {train:,} training and {test:,} test pictures are whole; {hashed} ({source})"


def _compare(what: str, found: str, expected: str) -> str:
    if found != expected:
        raise DataError(f"{what}: the sha256 is {found}, expected {expected}: changed, or damaged on the way")
    return f"sha256 {found[:12]}... is right"


def _digits_hash() -> str:
    from sklearn.datasets import load_digits as read
    pixels, labels = read(return_X_y=True)                                      # (1797, 64) in 0..16, (1797,)
    return hashlib.sha256(np.hstack([pixels, labels[:, None]]).astype(np.uint8).tobytes()).hexdigest()
