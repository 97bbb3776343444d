"""Decodes many image files at once, into one array."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from minimixer.backend import Array
from minimixer.data.dataset import DataError
from minimixer.data.images import read_in_thread
from minimixer.files import check_regular

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
        for place in range(start, min(start + CHUNK, len(files))):
            try:
                images[place] = read_in_thread(files[place], side, channels)
            except DataError as error:
                failures[place] = str(error)
        return min(CHUNK, len(files) - start)

    with warnings.catch_warnings(), progress("reading images", len(files), quiet) as advance, \
            ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1), "minimixer-images") as threads:
        warnings.simplefilter("ignore")             # Pillow's, about metadata; the filters are those of all threads
        try:
            for done in threads.map(work, range(0, len(files), CHUNK)):
                advance(done)
        except BaseException:
            threads.shutdown(wait=True, cancel_futures=True)        # Ctrl-C does not wait for thousands of files
            raise
    return images, dict(sorted(failures.items()))


@contextmanager
def progress(what: str, total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function that shows that some more are done; on a terminal only."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


def native_side(files: Sequence[Path], most: int) -> int | None:
    """The side that all images share, if they are squares of at most ``most`` pixels; None otherwise.

    Only headers are read, up to the first image that differs.
    """
    from PIL import Image

    side = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in files:
            try:
                check_regular(path)
                with Image.open(path) as image:
                    width, height = image.size
            except Exception:                   # of almost any kind; such a file is reported when it is read
                continue
            if width != height or width > most or side not in (None, width):
                return None
            side = width
    return side
