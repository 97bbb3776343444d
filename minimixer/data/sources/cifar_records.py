"""Decodes the files of CIFAR: records of bytes, or pickles of the same.

A binary file is a sequence of records of equal length, with nothing before, between or after them::

    CIFAR-10     label         | 1024 red | 1024 green | 1024 blue       3073 bytes
    CIFAR-100    coarse, fine  | 1024 red | 1024 green | 1024 blue       3074 bytes

Each color plane holds 32 rows of 32 pixels.  A file of the Python edition is a pickled dict, with rows of the same 3072
bytes as ``data`` and a list of labels.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.data.sources import safe_pickle
from minimixer.data.sources.cifar_editions import Archive
from minimixer.data.sources.pickle_values import PickleRefusedError
from minimixer.text import printable

SIDE = 32           # pixels
PIXELS = 3 * SIDE * SIDE

Damaged = Callable[[str], Exception]        # makes an error about the file from what is wrong


def decode_records(archive: Archive, content: bytes, damaged: Damaged) -> tuple[Array, Array]:
    """Images (N, 32, 32, 3) uint8 and labels (N,) int64 of one file.  Raises what ``damaged`` makes."""
    planes, labels = (_unpickled if archive.edition == "Python" else _plain)(archive, content, damaged)
    largest = len(archive.class_names) - 1
    wrong = (labels < 0) | (labels > largest)                                   # (N,)
    if wrong.any():
        i = int(wrong.argmax())     # the first
        raise damaged(f"has label {labels[i]} in record {i} (counted from 0), expected 0..{largest}")
    planes = planes.reshape(-1, 3, SIDE, SIDE)                                  # (N, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels           # (N, 32, 32, 3), (N,)


def decode_names(archive: Archive, content: bytes, damaged: Damaged) -> tuple[str, ...]:
    """The class names.  Raises what ``damaged`` makes."""
    if archive.edition == "Python":
        found = _entries(content, damaged).get(archive.names_key)
        if not isinstance(found, list) or not all(isinstance(name, str | bytes) for name in found):
            raise damaged(f"has no list {archive.names_key}")
        names = tuple(_text(name) for name in found)
    else:
        lines = content.decode("utf-8-sig", errors="replace").splitlines()
        names = tuple(line.strip() for line in lines if line.strip())
    if len(names) != len(archive.class_names):
        raise damaged(f"has {len(names)} class names, expected {len(archive.class_names)}")
    return names


def _plain(archive: Archive, content: bytes, damaged: Damaged) -> tuple[Array, Array]:
    record_bytes = archive.header_bytes + PIXELS
    if not content or len(content) % record_bytes:
        raise damaged(f"is {len(content):,} bytes long, expected a whole number of records of {record_bytes:,} bytes, "
                      "at least one")
    records = np.frombuffer(content, np.uint8).reshape(-1, record_bytes)        # (N, header + pixels)
    return records[:, archive.header_bytes:], records[:, archive.label_byte].astype(np.int64)   # (N, 3072), (N,)


def _unpickled(archive: Archive, content: bytes, damaged: Damaged) -> tuple[Array, Array]:
    found = _entries(content, damaged)
    data, labels = found.get("data"), found.get(archive.labels_key)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXELS:
        shape = f"of {data.dtype}, {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise damaged(f"holds data {shape}, expected an array of uint8, (N, {PIXELS})")
    if isinstance(labels, np.ndarray) and labels.ndim == 1 and labels.dtype.kind in "iu":
        labels = labels.tolist()
    if not isinstance(labels, list) or len(labels) != len(data) or not labels or not all(
            type(label) is int and abs(label) < 1 << 60 for label in labels):
        raise damaged(f"holds no list {archive.labels_key} of {len(data):,} whole numbers, one per image")
    return data, np.array(labels, np.int64)                                     # (N, 3072), (N,)


def _entries(content: bytes, damaged: Damaged) -> dict[str, Any]:
    """The pickled dict, with keys of text."""
    try:
        found = safe_pickle.load(content)
    except PickleRefusedError as error:
        raise damaged(f"is a pickle that is not read: {printable(error)}") from None
    if not isinstance(found, dict):
        raise damaged(f"is a pickle of {type(found).__name__}, expected a dict")
    return {_text(key): value for key, value in found.items()}


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
