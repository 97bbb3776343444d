"""Timing: one call, repeated calls, blocks of steps, and contenders that take turns."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

PAUSE = 0.1         # seconds between two blocks: the spinning threads of the last one go to sleep
BLOCK = 0.7         # seconds of steps per block


def seconds_of(work: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def seconds_per_call(work: Callable[[], Any], at_least: float = 0.5) -> float:
    """Mean seconds of calls that together take at least ``at_least`` seconds, after one call as a warm-up."""
    work()
    start, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < at_least:
        work()
        count += 1
    return seconds / count


class Timed:
    """An object whose ``step`` is timed."""

    step: Callable[[], Any]

    def calibrate(self, seconds: float = BLOCK) -> int:
        """Warm up; return the number of steps that take about ``seconds``."""
        for _ in range(2):                              # compiles, and allocates what is allocated once
            self.step()
        times: list[float] = []
        while sum(times) < seconds / 2:
            times.append(seconds_of(self.step))
        return max(1, round(seconds / min(times)))

    def block(self, steps: int) -> dict[str, float]:
        """Seconds and page faults per step."""
        if steps > 1:
            self.step()                                 # refills the caches
        faults, start = page_faults(), time.perf_counter()
        for _ in range(steps):
            self.step()
        seconds = time.perf_counter() - start
        return {"seconds": seconds / steps, "faults": (page_faults() - faults) / steps}


def page_faults() -> int:
    """Page faults of this process so far; 0 on Windows, which does not report them this way."""
    if sys.platform == "win32":
        return 0
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def interleave(blocks: Mapping[str, Callable[[], Any]], rounds: int, pause: float = PAUSE) -> dict[str, list[Any]]:
    """Run every block once per round, in an order that rotates by one each round; return each block's results."""
    names = list(blocks)
    results: dict[str, list[Any]] = {name: [] for name in names}
    for i in range(rounds):
        for name in names[i % len(names):] + names[:i % len(names)]:
            time.sleep(pause)
            results[name].append(blocks[name]())
    return results
