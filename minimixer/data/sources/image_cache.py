"""Keeps decoded images: the second run on a folder starts at once."""

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.data.notes import Notes
from minimixer.errors import explain
from minimixer.files import json_text, replacing
from minimixer.text import printable

VERSION = 1             # of what is kept; another one is never read
FOLDER = "images"       # in the cache folder
KEPT = 1 << 34          # bytes: beyond that, what was not used for longest is deleted


def key_of(files: Sequence[Path], **options: Any) -> str:
    """A name that changes with the files, their sizes and times, the options, and the version of Pillow."""
    import PIL

    found = hashlib.sha256(json_text([VERSION, PIL.__version__, options]).encode())
    for path in files:
        try:
            state = os.stat(path)
            seen = state.st_size, state.st_mtime_ns
        except OSError:
            seen = -1, -1
        found.update(os.fsencode(os.path.abspath(path)) + f"\0{seen}\n".encode())
    return found.hexdigest()[:40]


def read(folder: Path | None, key: str, notes: Notes) -> tuple[Array, dict[int, str]] | None:
    """The images and failures kept under a key; None if there are none, or they are damaged, which is said."""
    if folder is None:
        return None
    path = _path(folder, key)
    try:
        # The container checks a CRC of every byte.
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            images, about = file["images"], json.loads(bytes(file["about"]))
        if about["key"] != key or images.dtype != np.uint8 or list(images.shape) != about["shape"]:
            raise ValueError("it is of other images")
        with suppress(OSError):
            os.utime(path)                                      # used now
        return images, {int(place): str(why) for place, why in about["failures"].items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError, zipfile.BadZipFile,
            zipfile.LargeZipFile, NotImplementedError) as error:
        notes.append(f"the decoded images kept in {printable(path, None)} are damaged ({printable(error)}), so all "
                     "are read again")
        return None


def write(folder: Path | None, key: str, images: Array, failures: dict[int, str], notes: Notes) -> None:
    """Keep images and failures under a key.  If that is not possible, it is said, and nothing is kept."""
    if folder is None:
        return
    path = _path(folder, key)
    about = json_text({"key": key, "shape": images.shape, "failures": failures}).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, open(temporary, "xb") as file:
            np.savez(file, images=images, about=np.frombuffer(about, np.uint8))
        _forget(path.parent)
    except OSError as error:
        notes.append(f"the decoded images cannot be kept for the next time: {explain(error)}")


def _path(folder: Path, key: str) -> Path:
    return folder / FOLDER / f"{key}.npz"


def _forget(folder: Path) -> None:
    """Delete what was not used for longest, until at most KEPT bytes are left."""
    files = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in files:
        total += path.stat().st_size
        if total > KEPT and path != files[0]:
            path.unlink(missing_ok=True)
