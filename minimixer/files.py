"""Files that are whole at any moment, what may be read, and the one door through which anything is deleted."""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minimixer.errors import MinimixerError, UsageError
from minimixer.text import printable

LEFTOVER = re.compile(r"(.+)\.[0-9a-f]{8}\.tmp")   # what replacing() calls unfinished files
LARGEST_TEXT = 1 << 26              # bytes
LARGEST_EXPANSION = 20              # an archive of arrays that unpacks to more times its size is a trap,
ALWAYS_ALLOWED = 1 << 26            # bytes; unless it is small anyway


class FileRefusedError(MinimixerError, ValueError):
    """A file is not what it must be to be read, or not minimixer's to delete; the message names it."""


def expand(path: str | os.PathLike[str]) -> Path:
    """A path as it is meant: ``~`` and ``~name`` at its start become home folders.

    Raises UsageError for an empty path, and for a home folder that is unknown, rather than make a folder of that name.
    """
    if os.fspath(path) == "":
        raise UsageError("a path is empty: expected the name of a file or folder")
    expanded = Path(os.path.expanduser(path))
    if expanded.parts[:1] == ("~",):
        raise UsageError(f"{printable(path)} begins with ~, but no home folder is known: set HOME, or write the whole "
                         "path")
    if os.fspath(path).startswith("~") and expanded == Path(path):
        raise UsageError(f"{printable(path)!r} cannot be found (there is no user of that name): write the path without "
                         "~")
    return expanded


def check_regular(path: Path, limit: int | None = None) -> None:
    """Refuse to read what is no ordinary file: a folder, a pipe, a device, a sparse trap, or more than ``limit`` bytes.

    Raises FileRefusedError, and OSError if there is no such file.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        what = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise FileRefusedError(f"{printable(path, None)} is {what.get(stat.S_IFMT(found.st_mode), 'a device')}: "
                               "expected an ordinary file")
    if limit is not None and found.st_size > limit:
        raise FileRefusedError(f"{printable(path, None)} has {found.st_size:,} bytes: expected at most {limit:,}")
    if found.st_size > ALWAYS_ALLOWED and unpacks_too_large(_bytes_with_content(path, found.st_size), found.st_size):
        raise FileRefusedError(f"{printable(path, None)} claims {found.st_size:,} bytes, nearly all of them holes: "
                               "it was cut off while it was copied, or is no file of minimixer; copy it again")


def _bytes_with_content(path: Path, size: int) -> int:
    """How much of a file is not a hole; all of it where the file system does not say."""
    if not hasattr(os, "SEEK_DATA"):
        return size
    total = position = 0
    with open(path, "rb") as file:
        try:
            while position < size:
                start = os.lseek(file.fileno(), position, os.SEEK_DATA)
                position = os.lseek(file.fileno(), start, os.SEEK_HOLE)
                total += position - start
        except OSError as error:                # ENXIO: only a hole follows
            return total if error.errno == errno.ENXIO else size
    return total


def read_text(path: Path, limit: int = LARGEST_TEXT) -> str:
    r"""The text of a file: UTF-8, or UTF-16 if its byte order mark says so; the mark is taken off, line ends are \n.

    Raises FileRefusedError for what ``check_regular`` refuses and for other encodings, OSError if there is no file.
    """
    check_regular(path, limit)
    content = path.read_bytes()
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefusedError(f"{printable(path, None)} is not UTF-8 text (byte {error.start}): save it as UTF-8"
                               ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, limit: int = LARGEST_TEXT) -> Any:
    """What a JSON file holds.  Raises FileRefusedError if it is no JSON, and as ``read_text`` does."""
    text = read_text(path, limit)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        why = "its brackets are nested too deeply" if isinstance(error, RecursionError) else error
        raise FileRefusedError(f"{printable(path, None)} is not JSON ({why}): restore it") from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal.  Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(path: Path, proof: Callable[[Path], bool]) -> None:
    """Delete a file, a link or an empty folder that minimixer made.  Nothing else in the package deletes anything.

    Parameters
    ----------
    path : Path
        If nothing is there, nothing happens.  A link is deleted, never what it leads to.
    proof : callable
        Says whether minimixer made it.

    Raises
    ------
    FileRefusedError
        If there is no proof.
    OSError
        If the system refuses.
    """
    if not os.path.lexists(path):
        return
    if not proof(path):
        raise FileRefusedError(f"{printable(path, None)} was not made by minimixer, so it is not deleted: move it "
                               "away, or name another place")
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Give what the user has in the way another name, ``NAME.yours-1.SUFFIX`` or the next, and return it."""
    number = 1
    while os.path.lexists(other := path.with_suffix(f".yours-{number}{path.suffix}")):
        number += 1
    return give_name(path, other)


def give_name(path: Path, name: Path) -> Path:
    """Rename a file, and return its name.  Raises FileExistsError rather than replace another, OSError otherwise."""
    if os.path.lexists(name):
        raise FileExistsError(errno.EEXIST, "it is there already", str(name))
    return path.rename(name)


def check_replaceable(path: Path, ours: Callable[[Path], bool], writer: str, option: str = "--out") -> None:
    """Raise FileRefusedError if something is in the way that minimixer did not write; nothing is changed.

    Parameters
    ----------
    path : Path
        The file to write.
    ours : callable
        Says whether an ordinary file there is an earlier one of the same command.  What it raises counts as no.
    writer, option : str
        The command and its option, for the message.
    """
    if not os.path.lexists(path):
        return
    try:
        proved = path.is_file() and ours(path)
    except Exception:               # parsers of others' bytes raise anything
        proved = False
    if not proved:
        raise FileRefusedError(f"{printable(path, None)} exists, and minimixer {writer} did not write it, so it is "
                               f"kept: name another place with {option}")


def is_unfinished(path: Path) -> bool:
    """Whether a path is what ``replacing`` has not finished: by its name, and no folder."""
    return LEFTOVER.fullmatch(path.name) is not None and (path.is_symlink() or path.is_file())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the name of a new file beside ``path``; at the end of the block it is on the disk and takes that name.

    At any moment ``path`` is the old file or the new one, whole.  If the block raises, nothing is left of the new one.
    Raises OSError.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with open(temporary, "r+b") as file:        # Windows syncs only what is open for writing
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            remove(temporary, proof=is_unfinished)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from error        # the name that the user knows
        raise
    _sync_folder(path.parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is at any moment the old one or the new one, whole.  Raises OSError."""
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(content)


def json_text(content: Any, **layout: Any) -> str:
    """JSON that every reader accepts: a number that is not finite, which JSON does not have, becomes ``null``.

    Parameters
    ----------
    content
        What ``json.dumps`` takes.
    **layout
        Its options, such as ``indent`` and ``default``.
    """
    try:
        return json.dumps(content, allow_nan=False, **layout)
    except ValueError:
        return json.dumps(_finite(content), allow_nan=False, **layout)


def _finite(content: Any) -> Any:
    """The same content, with None for every number that is not finite."""
    if isinstance(content, dict):
        return {_finite(key): _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def append(path: Path, text: str) -> None:
    """Write UTF-8 text at the end of a file, in one call.  Raises OSError, also if the folder is gone."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def _sync_folder(folder: Path) -> None:
    """Force the new name to the disk.  Where that is not possible, a power cut may bring back the old file, whole."""
    with contextlib.suppress(OSError):      # Windows opens no folders, some network disks sync none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def unpacks_too_large(packed: int, unpacked: int) -> bool:
    """Whether an archive of ``packed`` bytes that claims ``unpacked`` is a trap: arrays do not shrink that well."""
    return unpacked > max(ALWAYS_ALLOWED, LARGEST_EXPANSION * packed)
