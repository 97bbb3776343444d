"""A progress bar, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from minimixer.text import printable


@contextmanager
def progress(what: str, total: int, quiet: bool, start: int = 0,
             in_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    """Yield a function that shows how many are done so far, on standard error.

    Parameters
    ----------
    what : str
        Before the bar.
    total, start : int
        How many there are, and how many were done before.
    quiet : bool
        Show nothing.
    in_bytes : bool
        Show numbers of bytes, not of things.
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(),
               DownloadColumn() if in_bytes else MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(printable(what), total=total, completed=start)
        yield lambda done: bar.update(task, completed=done)
