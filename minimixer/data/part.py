"""An unfinished download, ``NAME.part``, and the note ``NAME.part.json`` that proves which download began it."""

import hashlib
import os
from collections.abc import Callable
from io import BufferedRandom
from pathlib import Path
from typing import Any

from minimixer.data.dataset import DataError
from minimixer.files import FileRefusedError, give_name, json_text, read_json, remove, write_atomically
from minimixer.owned import remove_leftovers
from minimixer.text import printable

LARGEST_NOTE = 10_000       # bytes


class Part:
    """The bytes downloaded so far, with their length and running sha256.

    Attributes
    ----------
    validator : str
        The server's strong ETag of the file that the bytes are from, for If-Range; empty if it sent none.
    """

    def __init__(self, file: BufferedRandom, path: Path) -> None:
        self.file, self.path = file, path
        file.seek(0)
        self.hash = hashlib.file_digest(file, "sha256")
        self.length = file.tell()
        self.validator = str((_note(path) or {}).get("etag", ""))

    def append(self, block: bytes) -> None:
        """Add the next bytes."""
        self.file.write(block)
        self.hash.update(block)
        self.length += len(block)

    def clear(self, etag: str = "") -> None:
        """Start over, with a file of this ETag."""
        self.file.truncate(0)
        self.hash = hashlib.sha256()
        self.length = 0
        strong = etag if etag.startswith('"') and etag.isascii() and etag.isprintable() else ""
        if strong != self.validator:
            self.validator = strong
            _write_note(self.path, **{**(_note(self.path) or {}), "etag": strong})


def note_of(part: Path) -> Path:
    """Where the note of an unfinished download stands."""
    return part.with_name(part.name + ".json")


def is_begun(part: Path, **about: Any) -> bool:
    """Whether an unfinished download is of this ``url``, ``sha256`` and ``size``, as its note says."""
    note = _note(part)
    return note is not None and part.is_file() and not part.is_symlink() and note.items() >= about.items()


def check_part(part: Path, is_ours: Callable[[Path], bool]) -> None:
    """Raise DataError if a file is in the way of a download that did not write it."""
    if part.is_symlink() or (part.exists() and not part.is_file()):
        raise DataError(f"{printable(part, None)} is a link or no ordinary file, and the download would be written "
                        "there: choose another folder")
    if part.exists() and not is_ours(part):
        raise DataError(f"{printable(part, None)} is there, and {printable(note_of(part).name)} does not say that this "
                        "download began it, so it is neither continued nor deleted: move it away, or choose another "
                        "folder")
    if os.path.lexists(note_of(part)) and _note(part) is None:
        raise DataError(f"{printable(note_of(part), None)} is there, and no download wrote it: move it away, or choose "
                        "another folder")


def begin(part: Path, **about: Any) -> None:
    """Write the note before the first byte, unless it is there; the caller alone downloads this file."""
    remove_leftovers(part.parent, [note_of(part).name])
    if not is_begun(part, **about):
        _write_note(part, **about)


def discard(part: Path, is_ours: Callable[[Path], bool]) -> None:
    """Delete an unfinished download and its note.  Raises FileRefusedError if another began it."""
    remove(part, proof=is_ours)
    remove(note_of(part), proof=lambda note: _note(part) is not None)


def finish(part: Path, target: Path, is_ours: Callable[[Path], bool]) -> None:
    """Give a whole download its name, which must be free, and delete the note."""
    if not is_ours(part):
        raise DataError(f"{printable(part, None)} was replaced while it was written: run the same command again")
    give_name(part, target)
    remove(note_of(part), proof=lambda note: _note(part) is not None)


def _note(part: Path) -> dict[str, Any] | None:
    """What the note says; None if there is none, or it is no note."""
    try:
        said = read_json(note_of(part), LARGEST_NOTE)
    except (OSError, FileRefusedError):
        return None
    return said if isinstance(said, dict) and {"url", "sha256", "size"} <= said.keys() else None


def _write_note(part: Path, **about: Any) -> None:
    write_atomically(note_of(part), (json_text(about, indent=1) + "\n").encode())
