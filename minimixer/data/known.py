"""The data sets that minimixer knows by name: what they are, where they are, whether their files are complete."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from minimixer.data.dataset import DataError, Dataset
from minimixer.data.sources import digits
from minimixer.data.sources.cifar import find, load_cifar10, load_cifar100
from minimixer.data.sources.cifar_editions import CIFAR10, CIFAR100, PAGE, Archive

Name = Literal["digits", "cifar10", "cifar100"]


@dataclass(frozen=True)
class Known:
    """One data set; ``archive`` is its download, None for the one that comes with minimixer."""

    content: str
    images: int
    source: str
    license: str
    archive: Archive | None = None


CIFAR_LICENSE = "none is stated; cite the report (Krizhevsky 2009) that its page names"
KNOWN: dict[Name, Known] = {
    "digits": Known("handwritten digits, 8 x 8 pixels, gray, 10 classes", 1797,
                    "https://archive.ics.uci.edu/dataset/80, comes with minimixer",
                    "CC BY 4.0, Alpaydin & Kaynak 1998"),
    "cifar10": Known("photographs, 32 x 32 pixels, 10 classes", 60_000, PAGE, CIFAR_LICENSE, CIFAR10),
    "cifar100": Known("photographs, 32 x 32 pixels, 100 classes", 60_000, PAGE, CIFAR_LICENSE, CIFAR100),
}


def load(name: Name, data_dir: Path | None = None, download: bool = False) -> Dataset:
    """Read a data set by name; the arguments are those of ``load_cifar10``.  Raises DataError."""
    if name == "digits":
        return digits.load_digits()
    return {"cifar10": load_cifar10, "cifar100": load_cifar100}[name](data_dir, download=download)


def locate(name: Name, data_dir: Path | None = None, download: bool = False) -> Path:
    """The file or folder that ``load`` reads, downloaded first if asked.  Raises DataError if there is none."""
    archive = KNOWN[name].archive
    return digits.FILE if archive is None else find(archive, data_dir, download)


def verify(name: Name, data_dir: Path | None = None) -> str:
    """Read every record of a data set, compare hashes, and return one sentence on what was found.

    Raises
    ------
    DataError
        If files are missing or damaged, or the number of images or the hash is not the official one.
    """
    dataset, known = load(name, data_dir), KNOWN[name]
    source = dataset.source or locate(name)
    train, test = len(dataset.train_images), len(dataset.test_images)
    if train + test != known.images:
        raise DataError(f"{source} holds {train + test:,} images, the official {name} has {known.images:,}: it can "
                        "be used, but results are not comparable")
    if source.is_file():
        with source.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        expected = digits.SHA256 if known.archive is None else known.archive.sha256
        if found != expected:
            raise DataError(f"{source}: the sha256 is {found}, expected {expected}: the file has changed or is damaged")
        hashed = f"sha256 {found[:12]}... is correct"
    else:
        hashed = "no sha256 is published for unpacked files"
    return f"{name}: {train:,} training and {test:,} test images are complete; {hashed} ({source})"
