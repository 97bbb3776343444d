"""Files that are whole at any moment, text of others that is safe to show, and how large a file may unpack to."""

import contextlib
import json
import math
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEMPORARY = ".tmp"                  # how the names of unfinished files end
LARGEST_EXPANSION = 20              # an archive of arrays that unpacks to more times its size is a trap,
ALWAYS_ALLOWED = 1 << 26            # bytes; unless it is small anyway


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the name of a new file beside ``path``; at the end of the block it is on the disk and takes that name.

    At any moment ``path`` is the old file or the new one, whole.  If the block raises, nothing is left of the new one.
    Raises OSError.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        yield temporary
        with open(temporary, "r+b") as file:        # Windows syncs only what is open for writing
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
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


def remove_leftovers(folder: Path) -> list[Path]:
    """Delete the temporary files that a crash has left in a folder, and return them.

    Only the owner of the folder may call it: another process may still be writing its temporary file.
    """
    leftovers = [path for path in sorted(folder.glob(f"*{TEMPORARY}")) if path.is_file() or path.is_symlink()]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return leftovers


def printable(text: object, limit: int | None = 120, *, lines: bool = False) -> str:
    r"""Text from a file, a file name or a library, safe to print: unprintable characters become escapes like ``\x1b``.

    Parameters
    ----------
    text : object
        Its ``str`` is shown.
    limit : int or None
        Longer text is cut there and ends in ``...``; None never cuts.
    lines : bool
        Keep line breaks.  By default each run of line breaks and tabs becomes one space.
    """
    shown = re.sub(r"[^\S\n ]+" if lines else r"[^\S ]+", " ", str(text))
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in shown)
    return shown if limit is None or len(shown) <= limit else shown[:limit - 3] + "..."


def unpacks_too_large(packed: int, unpacked: int) -> bool:
    """Whether an archive of ``packed`` bytes that claims ``unpacked`` is a trap: arrays do not shrink that well."""
    return unpacked > max(ALWAYS_ALLOWED, LARGEST_EXPANSION * packed)
