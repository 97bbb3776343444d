"""Decodes many image files at once, into one array."""

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from minimixer.backend import Array
from minimixer.data.dataset import DataError
from minimixer.data.images import formats, read_in_thread
from minimixer.data.progress import progress

THREADS = 8             # at most: each may hold a photograph of 360 MB for a moment
CHUNK = 16              # files that a thread takes at once


def decode(files: Sequence[Path], side: int, channels: int = 3, quiet: bool = False) -> tuple[Array, dict[int, str]]:
    """Read image files as ``read_image`` does, on several threads.

    Parameters
    ----------
    files : sequence of Path
    side : int
        Of the square images, in pixels.
    channels : int
    quiet : bool
        Hide the progress bar, which is shown only on a terminal.

    Returns
    -------
    images : array of uint8, shape (N, side, side, channels)
        What cannot be read is black.
    failures : dict
        Place of a file that cannot be read -> the sentence that says why.
    """
    images = np.zeros((len(files), side, side, channels), np.uint8)
    failures: dict[int, str] = {}

    def work(start: int) -> int:
        stop = min(start + CHUNK, len(files))
        for place in range(start, stop):
            try:
                images[place] = read_in_thread(files[place], side, channels)
            except DataError as error:
                failures[place] = str(error)
        return stop

    with warnings.catch_warnings(), progress("reading images", len(files), quiet) as show, \
            ThreadPoolExecutor(min(THREADS, _processors()), "minimixer-images") as threads:
        warnings.simplefilter("ignore")             # Pillow's, about metadata; the filters are those of all threads
        try:
            for done in threads.map(work, range(0, len(files), CHUNK)):
                show(done)
        except BaseException:
            threads.shutdown(wait=True, cancel_futures=True)        # Ctrl-C does not wait for thousands of files
            raise
    return images, dict(sorted(failures.items()))


def _processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def native_side(files: Sequence[Path], most: int) -> int | None:
    """The side that all images share, if they are squares of at most ``most`` pixels; None otherwise.

    Only headers are read, up to the first image that differs.
    """
    from PIL import Image

    side, known = None, formats()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in files:
            try:
                with Image.open(path, formats=known) as image:
                    width, height = image.size
            except Exception:                   # of almost any kind; such a file is reported when it is read
                continue
            if width != height or width > most or side not in (None, width):
                return None
            side = width
    return side
