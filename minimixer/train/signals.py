"""How Ctrl-C, SIGTERM and the other signals that ask a program to end reach a run."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def _there(*names: str) -> tuple[int, ...]:
    return tuple(int(getattr(signal, name)) for name in names if hasattr(signal, name))


ASKED = _there("SIGINT", "SIGTERM", "SIGQUIT", "SIGBREAK")      # by a person or a manager; BREAK is Windows' Ctrl-Break
# By a terminal, a queue, a timer, a power supply or the kernel, perhaps often.
TOLD = _there("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGPWR")


def name_of(number: int) -> str:
    """What a signal is called: ``SIGTERM`` for 15; ``signal 99`` for a number without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextmanager
def signals_into(receive: Callable[[int], None]) -> Iterator[None]:
    """Hand the first signal that asks the program to end to ``receive``.

    A second Ctrl-C, SIGTERM or SIGQUIT ends the program as if nobody had listened.  More of the others change nothing:
    a closed terminal sends SIGHUP twice, and the kernel sends SIGXCPU every second.  What is ignored stays ignored,
    as in background jobs and after ``nohup``, and a handler that someone has set for one of these others stays.
    """
    def first(number: int, _: Any) -> None:
        for other, handler in previous.items():     # first, or a second signal that comes at once would be taken for it
            signal.signal(other, handler if other in ASKED else signal.SIG_IGN)
        receive(number)

    previous: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():       # elsewhere Python sets no handlers
        known = {number: signal.getsignal(number) for number in (*ASKED, *TOLD)}
        previous = {number: handler for number, handler in known.items()
                    if handler == signal.SIG_DFL or (number in ASKED and callable(handler))}
    try:
        for number in previous:
            signal.signal(number, first)
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
