"""The data sets that minimixer knows by name: what they are, where they are, whether their files are complete."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from minimixer.data.dataset import DataError, Dataset
from minimixer.data.sources import cifar, digits, mnist
from minimixer.data.sources.cifar_editions import CIFAR10, CIFAR100, EDITIONS, PAGE, Archive
from minimixer.data.sources.mnist import FAMILIES, Family
from minimixer.files import sha256_of

Name = Literal["digits", "cifar10", "cifar100", "mnist", "fashion-mnist", "kmnist"]


@dataclass(frozen=True)
class Known:
    """One data set; ``archive`` or ``family`` is its download, both are None for the one that comes with minimixer."""

    content: str
    images: int
    source: str
    license: str
    archive: Archive | None = None
    family: Family | None = None

    @property
    def size(self) -> int:
        """Bytes to download."""
        download = self.archive or self.family
        return download.size if download else 0


CIFAR_LICENSE = "none is stated; cite the report (Krizhevsky 2009) that its page names"
KNOWN: dict[Name, Known] = {
    "digits": Known("handwritten digits, 8 x 8 pixels, gray, 10 classes", 1797,
                    "https://archive.ics.uci.edu/dataset/80, comes with minimixer",
                    "CC BY 4.0, Alpaydin & Kaynak 1998"),
    "cifar10": Known("photographs, 32 x 32 pixels, 10 classes", 60_000, PAGE, CIFAR_LICENSE, CIFAR10),
    "cifar100": Known("photographs, 32 x 32 pixels, 100 classes", 60_000, PAGE, CIFAR_LICENSE, CIFAR100),
    "mnist": Known("handwritten digits, 28 x 28 pixels, gray, 10 classes", 70_000, FAMILIES["mnist"].page,
                   "none is stated; cite LeCun et al. 1998", family=FAMILIES["mnist"]),
    "fashion-mnist": Known("articles of clothing, 28 x 28 pixels, gray, 10 classes", 70_000,
                           FAMILIES["fashion-mnist"].page, "MIT, Zalando SE 2017", family=FAMILIES["fashion-mnist"]),
    "kmnist": Known("cursive Japanese characters, 28 x 28 pixels, gray, 10 classes", 70_000,
                    FAMILIES["kmnist"].page, "CC BY-SA 4.0, Center for Open Data in the Humanities",
                    family=FAMILIES["kmnist"]),
}


def load(name: Name, data_dir: Path | None = None, download: bool = False) -> Dataset:
    """Read a data set by name; the arguments are those of ``load_cifar10``.  Raises DataError."""
    if name == "digits":
        return digits.load_digits()
    return (mnist.load_family if name in FAMILIES else cifar.load)(name, data_dir, download)


def locate(name: Name, data_dir: Path | None = None, download: bool = False) -> Path:
    """The file or folder that ``load`` reads, downloaded first if asked.  Raises DataError if there is none."""
    known = KNOWN[name]
    if known.family is not None:
        return mnist.find(known.family, data_dir, download)
    return digits.FILE if known.archive is None else cifar.find(known.archive, data_dir, download)


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
    hashed = []
    for path, found, expected in _hashes(known, source):
        if found not in expected:
            raise DataError(f"{path}: the sha256 is {found}, expected {' or '.join(expected)}: the file has changed or "
                            "is damaged")
        hashed.append(found[:12])
    what = f"sha256 {', '.join(f'{each}...' for each in hashed)} {'is' if len(hashed) == 1 else 'are'} correct"
    return (f"{name}: {train:,} training and {test:,} test images are complete; "
            f"{what if hashed else 'no sha256 is published for unpacked files'} ({source})")


def _hashes(known: Known, source: Path) -> list[tuple[Path, str, tuple[str, ...]]]:
    """Path, sha256 and the right sha256 of the files whose hashes are known."""
    if known.family is not None:
        return [(path, found, (expected,)) for path, found, expected in mnist.verified(known.family, source)]
    if not source.is_file() or _is_unzipped(source):
        return []
    found = sha256_of(source)
    if known.archive is None:
        return [(source, found, (digits.SHA256,))]
    editions = EDITIONS[known.archive.name]
    return [(source, found, (known.archive.sha256, *(each.sha256 for each in editions[1:])))]


def _is_unzipped(source: Path) -> bool:
    """Whether this is an archive that a browser has unpacked on the way: its hash is not published."""
    with source.open("rb") as file:
        return source.suffix in (".tar", ".gz") and file.read(2) != b"\x1f\x8b"
