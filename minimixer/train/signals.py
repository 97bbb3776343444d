"""How Ctrl-C and SIGTERM reach a run."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def signals_into(receive: Callable[[int], None]) -> Iterator[None]:
    """Hand the first Ctrl-C or SIGTERM to ``receive``; a second one ends the program as if nobody had listened."""
    def first(number: int, _: Any) -> None:
        restore()               # first, or a second signal that comes at once would be taken for the first
        receive(number)

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    previous: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():       # elsewhere Python sets no handlers
        previous = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        restore()
