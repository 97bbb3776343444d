"""Reads a few known files out of a folder or a tar archive, and never more than they may hold."""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO, NoReturn, cast

from minimixer.data.sources.unpacked import BLOCK, HEADER, Unpacked
from minimixer.files import check_regular

LARGEST_FILE = 160_000_000              # bytes: the training file of CIFAR-100 has 155 million as a pickle
LARGEST_ARCHIVE = 200_000_000           # bytes, unpacked: the official ones hold about 186 million
MOST_MEMBERS = 100                      # of an archive: the official ones have fewer than ten
GZIP = b"\x1f\x8b"

Refuse = Callable[[Path, str], NoReturn]        # raises an error about a file: its path, what is wrong


def read_folder(folder: Path, names: Collection[str], refuse: Refuse) -> Iterator[tuple[str, bytes]]:
    """Name and content of every wanted file that exists.  Raises OSError, and what ``refuse`` does."""
    for name in names:
        path = folder / name
        if path.is_file():
            _check_size(path, path.stat().st_size, refuse)
            yield name, path.read_bytes()


def read_tar(path: Path, wanted: Collection[tuple[str, str]],
             refuse: Refuse) -> Iterator[tuple[tuple[str, str], bytes]]:
    """(Folder, name) and content of the wanted members of a tar archive, gzipped or not, whatever it is called.

    In one forward pass that writes nothing to disk, so no member can escape.

    Parameters
    ----------
    path : Path
    wanted : collection of (str, str)
        The last folder and the name of each wanted member; what stands before does not matter, but for ``..``.
    refuse : function
        Called with the path of a damaged file and what is wrong.
    """
    seen = set()
    try:
        check_regular(path)
        with open(path, "rb") as raw:
            zipped = raw.read(2) == GZIP
            raw.seek(0)
            unpacked = Unpacked(cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if zipped else raw, LARGEST_ARCHIVE)
            with tarfile.open(fileobj=cast(IO[bytes], unpacked), mode="r:") as tar:
                for count, member in enumerate(tar, 1):
                    where = Path(f"{path}/{member.name[:100]}")
                    _check_size(where, member.size, refuse)
                    if count > MOST_MEMBERS:
                        refuse(path, f"holds more than {MOST_MEMBERS} files")
                    place = _place(member.name)
                    if place not in wanted:
                        continue
                    if place in seen:
                        refuse(path, f"holds {member.name} twice")
                    seen.add(place)
                    content = tar.extractfile(member) if member.isreg() else None   # extractfile follows links
                    if content is None:
                        refuse(where, "is a link or folder, expected a file")
                    unpacked.at_once = LARGEST_FILE
                    yield place, content.read()
                    unpacked.at_once = HEADER
            unpacked.at_once = BLOCK
            while unpacked.read(BLOCK):     # to the end, where gzip verifies its checksum
                pass
    # RecursionError: headers that announce further headers without end.
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, OverflowError,
            RecursionError) as error:
        refuse(path, f"is not a complete .tar.gz or .tar file ({type(error).__name__}: {error})")


def _place(name: str) -> tuple[str, str]:
    """The last folder of a member's name, and what follows; nothing if the name leads out of the archive."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return (parts[-2], parts[-1]) if len(parts) > 1 and ".." not in parts and name[:1] != "/" else ("", "")


def _check_size(path: Path, size: int, refuse: Refuse) -> None:
    if not 0 <= size <= LARGEST_FILE:
        refuse(path, f"is {size:,} bytes long, expected at most {LARGEST_FILE:,}")
