"""Objects in separate processes, so that their thread pools and allocators do not disturb each other."""

import multiprocessing
import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from minimixer.errors import MinimixerError


class ChildError(MinimixerError):
    """A child failed; the message is one line."""


class Child:
    """Creates an object in a fresh process and calls its methods there.

    Parameters
    ----------
    factory : callable
        Creates the object; must be importable by name.
    *args
        Arguments of the factory.
    cpus : int, optional
        Number of logical CPUs the child may use, on separate physical cores as far as possible.
    """

    def __init__(self, factory: Callable[..., Any], *args: Any, cpus: int | None = None):
        self._factory, self._args, self._cpus = factory, args, cpus
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._cpus, self._factory, *self._args),
                                        daemon=True)
        self._process.start()
        theirs.close()
        self._receive()                                 # the object exists

    def _receive(self) -> Any:
        try:
            done, result = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            raise ChildError(f"the process ended with exit code {self._process.exitcode}") from None
        if not done:
            raise ChildError(result)
        return result

    def call(self, method: str, *args: Any) -> Any:
        """Call a method in the child.  Raises ChildError if it fails or its process dies; the next call restarts it."""
        if not self._process.is_alive():
            self._start()
        with suppress(BrokenPipeError):
            self._pipe.send((method, args))
        return self._receive()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()


def _serve(pipe: Any, cpus: int | None, factory: Callable[..., Any], *args: Any) -> None:
    if cpus is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, _one_per_core()[:cpus])
    try:
        served = factory(*args)
        pipe.send((True, None))
    except Exception as error:
        pipe.send((False, _one_line(error)))
        return
    with suppress(EOFError):
        while True:
            method, arguments = pipe.recv()
            try:
                pipe.send((True, getattr(served, method)(*arguments)))
            except Exception as error:
                traceback.print_exc()
                pipe.send((False, _one_line(error)))


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip() or 'no message'}".splitlines()[0][:200]


def _one_per_core() -> list[int]:
    """Logical CPUs that this process may use: first one per physical core, then their siblings."""
    def is_sibling(cpu: int) -> bool:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        return siblings.exists() and int(siblings.read_text().replace("-", ",").split(",")[0]) != cpu
    return sorted(os.sched_getaffinity(0), key=lambda cpu: (is_sibling(cpu), cpu))
