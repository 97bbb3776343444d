"""Keeps decoded images: the second run on a folder starts at once."""

import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from minimixer.backend import Array
from minimixer.data.notes import Notes
from minimixer.errors import explain
from minimixer.files import FileRefusedError, check_regular, json_text, remove, replacing
from minimixer.text import printable

VERSION = 1             # of what is kept; another one is never read
FOLDER = "images"       # in the cache folder
KEY = re.compile("[0-9a-f]{40}")
CHUNK = 256             # images
KEPT = 1 << 34          # bytes: beyond that, what was not used for longest is deleted


@dataclass(frozen=True)
class Place:
    """Where the decoded images of some files are kept: the same for any order of them.

    Attributes
    ----------
    path : Path
    order : array of int, shape (N,)
        ``order[i]`` is the place among the files of the i-th image that is kept.
    shape : tuple of int
        Of all images, (N, side, side, channels).
    """

    path: Path
    order: Array
    shape: tuple[int, ...]


def place_of(files: Sequence[Path], side: int, channels: int, folder: Path) -> Place:
    """Where images are kept: this follows from the files, their sizes and times, and the version of Pillow."""
    import PIL

    found = hashlib.sha256(json_text([VERSION, PIL.__version__, side, channels]).encode())
    order = sorted(range(len(files)), key=files.__getitem__)
    for path in (files[i] for i in order):
        try:
            state = os.stat(path)
            seen = state.st_size, state.st_mtime_ns
        except OSError:
            seen = -1, -1
        found.update(os.fsencode(os.path.abspath(path)) + f"\0{seen}\n".encode())
    name = f"{found.hexdigest()[:40]}.npz"
    return Place(folder / FOLDER / name, np.array(order, np.int64), (len(files), side, side, channels))


def read(place: Place, notes: Notes) -> tuple[Array, dict[int, str]] | None:
    """The images and failures that are kept; None if there are none, or they are damaged, which is said."""
    try:
        check_regular(place.path)
        with open(place.path, "rb") as raw, zipfile.ZipFile(raw) as archive:
            about = json.loads(archive.read("about.json"))
            images = np.empty(place.shape, np.uint8)
            with archive.open("images.npy") as file:
                npy.read_magic(file)
                if npy.read_array_header_1_0(file) != (place.shape, False, images.dtype):
                    raise ValueError("it is of other images")
                for rows in _chunks(place.order):
                    size = images[0].nbytes * len(rows)
                    images[rows] = np.frombuffer(file.read(size), np.uint8).reshape(-1, *place.shape[1:])
                if file.read(1):                                # at the end, where zipfile compares the CRC
                    raise ValueError("it goes on behind its end")
        failures = {int(place.order[int(i)]): str(why) for i, why in about["failures"].items()}
        with suppress(OSError):
            os.utime(place.path)                                # used now
        return images, failures
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, RecursionError,
            zipfile.BadZipFile, NotImplementedError, zlib.error, FileRefusedError) as error:
        notes.append(f"the decoded images kept in {printable(place.path, None)} are damaged ({printable(error)}), so "
                     "all are read again")
        return None


def write(place: Place, images: Array, failures: dict[int, str], notes: Notes) -> None:
    """Keep images and failures.  If that is not possible, it is said, and nothing is kept."""
    rank = {int(row): i for i, row in enumerate(place.order)}
    about = json_text({"failures": {rank[row]: why for row, why in failures.items()}})
    try:
        place.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place.path) as temporary, zipfile.ZipFile(temporary, "x") as archive:
            archive.writestr("about.json", about)
            with archive.open("images.npy", "w", force_zip64=True) as file:
                npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": place.shape})
                for rows in _chunks(place.order):
                    file.write(images[rows].tobytes())
        _forget(place.path.parent)
    except OSError as error:
        notes.append(f"the decoded images cannot be kept for the next time: {explain(error)}")


def _chunks(order: Array) -> Iterator[Array]:
    """A few rows at a time, so that no second copy of all images is ever in memory."""
    for start in range(0, len(order), CHUNK):
        yield order[start:start + CHUNK]


def _is_kept(path: Path) -> bool:
    return path.parent.name == FOLDER and KEY.fullmatch(path.stem) is not None and path.is_file()


def _forget(folder: Path) -> None:
    """Delete what was not used for longest, until at most KEPT bytes are left."""
    files = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in files:
        total += path.stat().st_size
        if total > KEPT and path != files[0]:
            remove(path, proof=_is_kept)
