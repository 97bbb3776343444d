"""CIFAR-10 and CIFAR-100 from the official binary files.

A file is a sequence of records of equal length, with nothing before, between or after them::

    CIFAR-10     label         | 1024 red | 1024 green | 1024 blue       3073 bytes
    CIFAR-100    coarse, fine  | 1024 red | 1024 green | 1024 blue       3074 bytes

Each color plane holds 32 rows of 32 pixels.  The Python edition of the same images consists of pickles.  Opening a
pickle can run any code, so that edition is not read.
"""

import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from minimixer.backend import Array
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.sources.unpacked import BLOCK, HEADER, Unpacked
from minimixer.files import expand
from minimixer.text import printable

PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
SIDE = 32           # pixels
LARGEST_FILE = 50_000 * (2 + 3 * SIDE * SIDE)   # bytes: train.bin of CIFAR-100
LARGEST_ARCHIVE = 200_000_000                   # bytes, unpacked: the official ones hold about 185 million
MOST_MEMBERS = 100                              # of an archive: the official ones have fewer than ten


@dataclass(frozen=True)
class Archive:
    """One official archive: its source and the layout of its records."""

    name: str                       # as on the command line
    title: str
    folder: str                     # inside the archive
    train_files: tuple[str, ...]
    test_files: tuple[str, ...]
    names_file: str
    header_bytes: int               # label bytes before the pixels of a record
    label_byte: int                 # index of the class number among them
    class_names: tuple[str, ...]    # in label order
    url: str
    sha256: str
    size: int                       # bytes

    @property
    def files(self) -> tuple[str, ...]:
        """All .bin files."""
        return self.train_files + self.test_files

    @property
    def tarball(self) -> str:
        """The file name at the end of the url."""
        return self.url.rsplit("/", 1)[-1]


CIFAR10 = Archive(
    name="cifar10", title="CIFAR-10", folder="cifar-10-batches-bin",
    train_files=tuple(f"data_batch_{i}.bin" for i in range(1, 6)), test_files=("test_batch.bin",),
    names_file="batches.meta.txt", header_bytes=1, label_byte=0,
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", size=170_052_171)

FINE_NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""

CIFAR100 = Archive(
    name="cifar100", title="CIFAR-100", folder="cifar-100-binary",
    train_files=("train.bin",), test_files=("test.bin",),
    names_file="fine_label_names.txt", header_bytes=2, label_byte=1, class_names=tuple(FINE_NAMES.split()),
    url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec", size=168_513_733)


def load_cifar10(data_dir: str | Path | None = None, *, download: bool = False) -> Dataset:
    """CIFAR-10: 50,000 training and 10,000 test color images of 32 x 32 pixels in 10 classes.

    Parameters
    ----------
    data_dir : str or Path, optional
        The folder of the .bin files, a folder that holds ``cifar-10-batches-bin`` or ``cifar-10-binary.tar.gz``, or
        that .tar.gz file.  By default $MINIMIXER_DATA, ``data`` and the cache folder ($MINIMIXER_CACHE or the
        system's) are searched, in this order.
    download : bool
        If nothing is found, download the archive (170 MB) into `data_dir`, by default into the cache folder.

    Returns
    -------
    Dataset
        Images uint8 (N, 32, 32, 3), C-contiguous; labels int64 (N,).  N follows from the file sizes.

    Raises
    ------
    DataError
        If the files are missing, damaged or cannot be downloaded.
    """
    return _load(CIFAR10, data_dir, download)


def load_cifar100(data_dir: str | Path | None = None, *, download: bool = False) -> Dataset:
    """CIFAR-100 with its fine classes: as `load_cifar10`, with ``cifar-100-binary`` and its .tar.gz (169 MB)."""
    return _load(CIFAR100, data_dir, download)


def _load(archive: Archive, data_dir: str | Path | None, download: bool) -> Dataset:
    class_names = archive.class_names
    parts = {}      # file name -> images, labels
    try:
        source = find(archive, data_dir, download)
        read = _read_folder if source.is_dir() else _read_tarball
        for name, content in read(archive, source):
            if name == archive.names_file:
                class_names = _decode_names(archive, source / name, content)
            else:
                parts[name] = _decode_records(archive, source / name, content)
    except OSError as error:
        raise DataError(f"{archive.title} cannot be read: {error}") from error
    if not parts:
        raise _damaged(archive, source, f"holds no file of the binary version of {archive.title}, such as "
                                        f"{archive.files[0]}")
    if missing := [name for name in archive.files if name not in parts]:
        raise _damaged(archive, source, f"has no file {', '.join(missing)}")

    def join(files: tuple[str, ...]) -> tuple[Array, Array]:
        images, labels = zip(*(parts[name] for name in files), strict=True)
        return np.concatenate(images), np.concatenate(labels)   # (N, 32, 32, 3), (N,)

    return Dataset(archive.name, *join(archive.train_files), *join(archive.test_files), class_names, source)


def _damaged(archive: Archive, path: Path, what: str) -> DataError:
    return DataError(f"{printable(f'{path} {what}', None)}; unpack or download {archive.tarball} again")


def find(archive: Archive, data_dir: str | Path | None, download: bool) -> Path:
    """The folder of .bin files or the .tar.gz file to read, downloaded if asked; DataError if there is none."""
    usual = (data_dir,) if data_dir else (os.environ.get("MINIMIXER_DATA"), "data", _cache())
    places = [expand(place) for place in usual if place]
    other = CIFAR100 if archive.name == CIFAR10.name else CIFAR10
    places = [place.parent if place.name == other.tarball else place for place in places]      # side by side
    for place in places:
        if place.is_file():
            return place
        for folder in (place, place / archive.folder):
            if any((folder / name).is_file() for name in archive.files):
                return folder
        if (place / archive.tarball).is_file():
            return place / archive.tarball
    if download:
        from minimixer.data.download import download as fetch  # here, because requests is slow to import

        if not (data_dir or _cache()):
            raise DataError("no home folder is known, so there is no cache folder: name a folder with --data-dir, or "
                            "set MINIMIXER_CACHE")
        target = places[-1] if places[-1].suffix == ".gz" else places[-1] / archive.tarball
        return fetch(archive.url, target, sha256=archive.sha256, size=archive.size)
    raise DataError(f"""{archive.title} was not found in {", ".join(map(str, places))}.
To get {archive.tarball} ({archive.size / 1e6:.0f} MB), use one of:
  minimixer data download {archive.name}, or python -m minimixer.train {archive.name} --download
  a browser at {PAGE} (the binary version), then --data-dir FOLDER
Without a network, the digits need no files: python -m minimixer.train digits""")


def _cache() -> str | None:
    """The folder for downloads; None for a user without a home folder, as in some containers."""
    from platformdirs import user_cache_dir
    try:
        cache = os.environ.get("MINIMIXER_CACHE") or user_cache_dir("minimixer")
    except RuntimeError:            # of newer versions of platformdirs; older ones leave the ~
        return None
    return None if cache.startswith("~") and not os.environ.get("MINIMIXER_CACHE") else cache


def _read_folder(archive: Archive, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every expected file that exists."""
    for name in (archive.names_file, *archive.files):
        path = folder / name
        if path.is_file():
            _check_size(archive, path, path.stat().st_size)
            yield name, path.read_bytes()


def _read_tarball(archive: Archive, path: Path) -> Iterator[tuple[str, bytes]]:
    """As `_read_folder`, in one forward pass that writes nothing to disk, so no member can escape."""
    wanted = {f"{archive.folder}/{name}": name for name in (archive.names_file, *archive.files)}
    seen = set()
    try:
        with gzip.open(path) as stream:
            unpacked = Unpacked(cast(IO[bytes], stream), LARGEST_ARCHIVE)
            with tarfile.open(fileobj=cast(IO[bytes], unpacked), mode="r:") as tar:
                for count, member in enumerate(tar, 1):
                    where = Path(f"{path}/{member.name[:100]}")
                    _check_size(archive, where, member.size)
                    if count > MOST_MEMBERS:
                        raise _damaged(archive, path, f"holds more than {MOST_MEMBERS} files")
                    if member.name not in wanted:
                        continue
                    if member.name in seen:
                        raise _damaged(archive, path, f"holds {member.name} twice")
                    seen.add(member.name)
                    content = tar.extractfile(member) if member.isreg() else None   # extractfile follows links
                    if content is None:
                        raise _damaged(archive, where, "is a link or folder, expected a file")
                    unpacked.at_once = LARGEST_FILE
                    yield wanted[member.name], content.read()
                    unpacked.at_once = HEADER
            unpacked.at_once = BLOCK
            while unpacked.read(BLOCK):     # to the end, where gzip verifies its checksum
                pass
    # RecursionError: headers that announce further headers without end.
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, OverflowError,
            RecursionError) as error:
        raise _damaged(archive, path, f"is not a complete .tar.gz file ({type(error).__name__}: {error})") from error


def _check_size(archive: Archive, path: Path, size: int) -> None:
    if not 0 <= size <= LARGEST_FILE:
        raise _damaged(archive, path, f"is {size:,} bytes long, expected at most {LARGEST_FILE:,}")


def _decode_records(archive: Archive, path: Path, content: bytes) -> tuple[Array, Array]:
    """Images (N, 32, 32, 3) uint8 and labels (N,) int64 of one .bin file."""
    record_bytes = archive.header_bytes + 3 * SIDE * SIDE
    if not content or len(content) % record_bytes:
        raise _damaged(archive, path, f"is {len(content):,} bytes long, expected a whole number of records "
                                      f"of {record_bytes:,} bytes, at least one")
    records = np.frombuffer(content, np.uint8).reshape(-1, record_bytes)        # (N, header + pixels)
    labels = records[:, archive.label_byte].astype(np.int64)                    # (N,)
    largest = len(archive.class_names) - 1
    if labels.max() > largest:
        i = int(np.argmax(labels > largest))    # the first
        raise _damaged(archive, path, f"has label {labels[i]} in record {i} (counted from 0), expected 0..{largest}")
    planes = records[:, archive.header_bytes:].reshape(-1, 3, SIDE, SIDE)       # (N, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels           # (N, 32, 32, 3), (N,)


def _decode_names(archive: Archive, path: Path, content: bytes) -> tuple[str, ...]:
    names = tuple(line.strip() for line in content.decode("utf-8-sig", errors="replace").splitlines() if line.strip())
    if len(names) != len(archive.class_names):
        raise _damaged(archive, path, f"has {len(names)} class names, expected {len(archive.class_names)}")
    return names
