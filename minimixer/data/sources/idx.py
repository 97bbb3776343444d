"""IDX files, the format of MNIST and its relatives.

A file is one array: two zero bytes, the type of a number, how many axes there are, the length of each axis in 4 bytes,
and then the numbers; all are big-endian.
"""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from minimixer.backend import Array
from minimixer.data.arrays import assemble, listed
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.memory import check_memory
from minimixer.data.notes import Notes
from minimixer.files import check_regular
from minimixer.text import printable

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
FILE = re.compile(r"(?P<set>.*?)[-_]?(?P<part>train|t10k|test)-(?P<kind>images|labels)[-.]idx[13]-ubyte(\.gz)?",
                  re.IGNORECASE)
TRAIN, TEST = "train", "test"
BLOCK = 1 << 20         # bytes

Files = dict[tuple[str, str], Path]     # ("train" or "test", "images" or "labels") -> file


def find_idx(folder: Path) -> Files:
    """The IDX files in a folder, gzipped or not; empty if there are none.

    Raises
    ------
    DataError
        If there are those of several data sets.
    """
    sets: dict[str, Files] = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.suffix == ".gz"):
        if (match := FILE.fullmatch(path.name)) is None:
            continue
        if path.is_dir():       # as some archives unpack: a folder around each file, of the same name
            path = path / path.name
        part = TRAIN if match["part"].lower() == "train" else TEST
        if path.is_file():
            sets.setdefault(match["set"], {}).setdefault((part, match["kind"].lower()), path)
    if len(sets) > 1:
        raise DataError(f"{printable(folder, None)} holds the files of several data sets ({listed(sorted(sets))}): "
                        "move those of each into a folder of its own")
    return next(iter(sets.values()), {})


def load_idx(folder: Path, files: Files, class_names: tuple[str, ...] | None, notes: Notes, *, validation: float,
             test_share: float, seed: int) -> Dataset:
    """The data set of some IDX files.  Raises DataError if one is missing or damaged."""
    parts = {}
    for part in (TRAIN, TEST):
        there = {kind: files.get((part, kind)) for kind in ("images", "labels")}
        if part == TEST and not any(there.values()):
            continue
        if lacking := [kind for kind, path in there.items() if path is None]:
            example = f"{'train' if part == TRAIN else 't10k'}-{lacking[0]}-idx{3 if 'images' in lacking else 1}-ubyte"
            raise DataError(f"{printable(folder, None)} has no file of {part} {' and '.join(lacking)}, such as "
                            f"{example} or {example}.gz")
        images, labels = (read_idx(path, axes) for path, axes in zip(there.values(), (3, 1), strict=True) if path)
        if transposed(there["images"]):
            images = images.swapaxes(1, 2)                                      # (N, H, W)
        parts[part] = images, labels
    if transposed(files[TRAIN, "images"]):
        notes.append("the images of EMNIST are stored with rows and columns exchanged; they were turned upright")
    return assemble(parts, class_names, notes, folder, validation=validation, test_share=test_share, seed=seed)


def transposed(path: Path | None) -> bool:
    """Whether these are images of EMNIST, whose authors stored columns where MNIST has rows."""
    return path is not None and path.name.lower().startswith("emnist")


def read_idx(path: Path, axes: int | None = None) -> Array:
    """The array of one IDX file, gzipped or not, whatever its name says.

    Parameters
    ----------
    path : Path
    axes : int, optional
        How many the array must have.

    Raises
    ------
    DataError
        If it is no IDX file, is cut off, goes on behind its end, or does not fit into memory.
    """
    shown = printable(path, None)
    try:
        check_regular(path)
        with open(path, "rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if zipped else raw
            dtype, shape = _header(shown, stream, axes)
            count = math.prod(shape) * dtype.itemsize
            check_memory(count, f"the numbers in {shown}", "copy or download it again, it may be damaged")
            content = _read(stream, count)
            if len(content) != count or stream.read(1):
                raise DataError(f"{shown} holds {'more' if len(content) == count else f'{len(content):,}'} bytes of "
                                f"numbers, and its header announces {count:,}: copy or download it again")
    except (OSError, zlib.error, EOFError) as error:
        raise DataError(f"{shown} cannot be read ({error}): copy or download it again") from error
    return np.frombuffer(content, dtype).reshape(shape)


def _read(stream: IO[bytes], count: int) -> bytes:
    """Up to ``count`` bytes; memory grows with what comes, not with what a header claims."""
    blocks = []
    while count and (block := stream.read(min(count, BLOCK))):
        blocks.append(block)
        count -= len(block)
    return b"".join(blocks)


def _header(shown: str, stream: IO[bytes], axes: int | None) -> tuple[np.dtype, tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= 4:
        raise DataError(f"{shown} is no IDX file (it begins with {magic!r}): copy or download it again")
    if axes is not None and magic[3] != axes:
        raise DataError(f"{shown} is an array of {magic[3]} axes, expected {axes}: images and labels may be exchanged")
    lengths = stream.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise DataError(f"{shown} ends within its header: copy or download it again")
    return np.dtype(TYPES[magic[2]]), struct.unpack(f">{magic[3]}I", lengths)
