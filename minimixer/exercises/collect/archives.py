"""The files of an archive one by one: names are only compared, sizes are not believed, nothing is run."""

import bz2
import gzip
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

MOST_LISTED = 200_000
# What the libraries raise over archives that are damaged, or made to do harm.
ERRORS = (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, MemoryError, OverflowError,
          zipfile.BadZipFile, tarfile.TarError, zlib.error, UnicodeError, LookupError)
# The path, when it was saved, whether it is a folder, and the bytes, which are None for links and the like.
Member = tuple[tuple[str, ...], float, bool, IO[bytes] | None]


def members(path: Path, most: int) -> Iterator[Member]:
    """The members of a zip or tar archive; a tar is read to at most a small multiple of ``most`` bytes.

    Raises one of ERRORS, at any time.
    """
    return _zip(path) if zipfile.is_zipfile(path) else _tar(path, most)


def _zip(path: Path) -> Iterator[Member]:
    _check_count(path)
    with zipfile.ZipFile(path) as archive:
        for member in sorted(archive.infolist(), key=lambda info: info.filename):
            parts = _parts(member.filename)
            if not parts:
                continue
            modified = _seconds(member.date_time)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if member.is_dir() or kind not in (0, stat.S_IFREG):
                yield parts, modified, member.is_dir(), None
            elif member.flag_bits & 1:
                raise ValueError("it needs a password")
            elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("it is compressed in an unusual way: ask for an ordinary .zip")
            else:
                with archive.open(member) as stream:
                    yield parts, modified, False, stream


def _check_count(path: Path) -> None:
    """Raise ValueError for a zip of very many files, whose list alone would fill the memory."""
    found = 0
    with open(path, "rb") as file:
        while piece := file.read(1 << 24):
            found += piece.count(b"PK\1\2")
            if found > MOST_LISTED:
                raise ValueError(f"it holds more than {MOST_LISTED:,} files")


def _tar(path: Path, most: int) -> Iterator[Member]:
    with open(path, "rb") as raw, tarfile.open(mode="r|", fileobj=cast(Any, _opened(raw, most))) as archive:
        for member in archive:
            parts = _parts(member.name)
            if not parts:
                continue
            stream = archive.extractfile(member) if member.isreg() else None
            yield parts, float(member.mtime), member.isdir(), stream


def _opened(raw: IO[bytes], most: int) -> "_Bounded":
    beginning = raw.read(3)
    raw.seek(0)
    if beginning[:2] == b"\x1f\x8b":
        return _Bounded(gzip.GzipFile(fileobj=raw).read, most)
    return _Bounded(bz2.BZ2File(raw).read if beginning == b"BZh" else raw.read, most)


class _Bounded:
    """A stream that refuses to go on behind ``most`` bytes: what a tar is packed with says nothing about its size."""

    def __init__(self, read: Callable[[int], bytes], most: int):
        self._read, self._left = read, 4 * most

    def read(self, size: int = -1) -> bytes:
        piece = self._read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise ValueError("it is too large")
        return piece


def _parts(name: str) -> tuple[str, ...]:
    """The path of a member; it is only shown and compared, so nothing is written where it points."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _seconds(moment: tuple[int, int, int, int, int, int]) -> float:
    try:
        return time.mktime((*moment, 0, 0, -1))
    except (ValueError, OverflowError):
        return 0.0


def why(error: BaseException) -> str:
    """What is wrong with an archive."""
    if isinstance(error, zipfile.BadZipFile | tarfile.TarError | EOFError | zlib.error):
        return "it is damaged, or no archive"
    return str(error) or type(error).__name__
