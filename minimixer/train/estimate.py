"""How long a run will take, measured before it starts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minimixer.backend import Array, get_device, synchronize, to_device
from minimixer.data import Prefetch
from minimixer.gpu.graph import graph_bytes
from minimixer.train.initialize import Run

WARM_UP, MEASURED = 3, 3        # steps, at least
SECONDS = 1.5                   # of measurement: a busy machine makes single steps unequal
TESTED = 512                    # test images


@dataclass(frozen=True)
class Estimate:
    """Time and memory of a run.

    Attributes
    ----------
    seconds_per_step, seconds_per_test : float
        Of one training step, and of one test on all images for it.
    steps, tests : int
        How many of them are still to come.
    peak_bytes : int or None
        Peak memory of the process (on a GPU, of its memory pools) so far; None if the system does not say.
    """

    seconds_per_step: float
    seconds_per_test: float
    steps: int
    tests: int
    peak_bytes: int | None

    @property
    def seconds(self) -> float:
        """Time of all steps and tests that are still to come."""
        return self.steps * self.seconds_per_step + self.tests * self.seconds_per_test

    def __str__(self) -> str:
        memory = "" if self.peak_bytes is None else f", peak memory {self.peak_bytes / 1e6:,.0f} MB"
        return (f"about {duration(self.seconds)} ({1e3 * self.seconds_per_step:,.1f} ms a step, "
                f"{self.seconds_per_test:,.2g} s a test){memory}")


def duration(seconds: float) -> str:
    """A length of time for people: ``48 s``, ``18 min``, ``5.2 h``."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def measure(run: Run, train_step: Callable[[Run, Array, Array], Any]) -> Estimate:
    """Make a few real steps and part of a test, time them, and put the state back as it was, to the bit."""
    state, group = run.state, run.group
    before = state.snapshot()
    try:
        with Prefetch(run.batches) as batches:
            for _ in range(WARM_UP):
                train_step(run, *batches[state.step])
            synchronize(run.device)
            times = [time.perf_counter()]
            # The first process decides for all: they must make the same number of steps.
            while group.broadcast(len(times) <= MEASURED or times[-1] - times[0] < SECONDS):
                train_step(run, *batches[state.step])
                synchronize(run.device)
                times.append(time.perf_counter())
            per_step = (times[-1] - times[0]) / (len(times) - 1)
    finally:
        state.restore(before)
    images = run.dataset.selection[1]
    part = to_device(images[:TESTED], run.device)
    start = time.perf_counter()
    run.sharded.predict(part)
    synchronize(run.device)
    per_test = (time.perf_counter() - start) * len(images) / len(part)
    left = run.total_steps - state.step
    return Estimate(per_step, per_test, left, -(-left // len(run.batches)), peak_memory(run.device))


def peak_memory(device: str) -> int | None:
    """Peak bytes of the process, or on a GPU of the memory pools, so far; None if the system does not say."""
    if device == "gpu":
        return int(get_device(device).xp.get_default_memory_pool().total_bytes()) + graph_bytes()
    try:
        import resource
    except ImportError:         # Windows
        return None
    import sys
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
