"""Objects that live in processes of their own, so that thread pools and allocators do not disturb each other."""

import ctypes
import gc
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from minimixer.errors import MinimixerError

PAUSE = 0.1         # seconds between two children: spinning threads of the last one have gone to sleep
BLOCK = 0.7         # seconds of steps between two looks at the clock


class ChildError(MinimixerError):
    """What a child could not do, in one line."""


class Child:
    """Calls the methods of an object that is made, and stays, in a fresh process.

    Parameters
    ----------
    factory : callable
        Makes the object; must be importable by name.
    *args
        For the factory.
    cpus : int, optional
        The child may use only as many processors, each on a core of its own while there are enough.
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
        self._receive()                                 # made

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
        """Result of a method in the child; ChildError if it raised, or the process died (the next call starts anew)."""
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
        os.sched_setaffinity(0, _one_a_core()[:cpus])
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


def _one_a_core() -> list[int]:
    """Processors this process may use: first one of every core, then their siblings."""
    def is_sibling(cpu: int) -> bool:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        return siblings.exists() and int(siblings.read_text().replace("-", ",").split(",")[0]) != cpu
    return sorted(os.sched_getaffinity(0), key=lambda cpu: (is_sibling(cpu), cpu))


class Timed:
    """An object with a ``step`` to be timed."""

    step: Callable[[], Any]

    def calibrate(self, seconds: float = BLOCK) -> int:
        """Warm up; the number of steps that last about as long."""
        for _ in range(2):                              # what is compiled, or allocated once
            self.step()
        times: list[float] = []
        while sum(times) < seconds / 2:
            start = time.perf_counter()
            self.step()
            times.append(time.perf_counter() - start)
        return max(1, round(seconds / min(times)))

    def block(self, steps: int) -> dict[str, float]:
        """Seconds and page faults a step."""
        if steps > 1:
            self.step()                                 # the caches were another process's
        faults, start = page_faults(), time.perf_counter()
        for _ in range(steps):
            self.step()
        seconds = time.perf_counter() - start
        return {"seconds": seconds / steps, "faults": (page_faults() - faults) / steps}


def page_faults() -> int:
    """Of this process so far; 0 on Windows, which does not count them this way."""
    if sys.platform == "win32":
        return 0
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _memory(field: str) -> int:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status[field].split()[0])


def trim_memory() -> int:
    """Give freed memory back to the system and let the peak begin anew; bytes still in memory.  Linux with glibc."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def peak_memory() -> int:
    """Bytes in memory, at most, since ``trim_memory``.

    Not getrusage's ru_maxrss: that begins at the parent's peak, and cannot be set back after compiling.
    """
    return _memory("VmHWM")


def interleave(blocks: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """Run every block once a round, in an order that turns by one each round; the results of each."""
    names = list(blocks)
    results: dict[str, list[Any]] = {name: [] for name in names}
    for i in range(rounds):
        for name in names[i % len(names):] + names[:i % len(names)]:
            time.sleep(PAUSE)
            results[name].append(blocks[name]())
    return results
