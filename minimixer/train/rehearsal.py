"""How long a run will take, measured before it starts."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minimixer.backend import get_device, synchronize, to_device
from minimixer.data import Prefetch
from minimixer.gpu.graph import graph_bytes

if TYPE_CHECKING:
    from minimixer.train.loop import Training

WARM_UP, MEASURED = 3, 3        # steps, at least
SECONDS = 1.5                   # of measurement: a busy machine makes single steps unequal
TESTED = 512                    # test pictures


@dataclass(frozen=True)
class Estimate:
    """Time and memory of a run.

    Attributes
    ----------
    seconds_per_step, seconds_per_test : float
        A training step; all test pictures once.
    steps, tests : int
        How many of them are still to come.
    peak_bytes : int or None
        Most memory that the process (on a GPU: its memory pools) has held so far; None where the system does not say.
    """

    seconds_per_step: float
    seconds_per_test: float
    steps: int
    tests: int
    peak_bytes: int | None

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        return self.steps * self.seconds_per_step + self.tests * self.seconds_per_test

    def __str__(self) -> str:
        memory = "" if self.peak_bytes is None else f", peak memory {self.peak_bytes / 1e6:,.0f} MB"
        return (f"about {duration(self.seconds)} ({1e3 * self.seconds_per_step:,.1f} ms a step, "
                f"{self.seconds_per_test:,.2g} s a test){memory}")


def duration(seconds: float) -> str:
    """A length of time as people say it: ``48 s``, ``18 min``, ``5.2 h``."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def rehearse(training: "Training") -> Estimate:
    """Make a few real steps and a part of a test, measure them, and put everything back as it was, to the bit."""
    with _put_back(training), Prefetch(training.batches) as batches:
        for _ in range(WARM_UP):
            training.train_step(*batches[training.step])
        synchronize(training.device)
        times = [time.perf_counter()]
        # The first process decides for all: they must make as many steps.
        while training.group.tell(len(times) <= MEASURED or times[-1] - times[0] < SECONDS):
            training.train_step(*batches[training.step])
            synchronize(training.device)
            times.append(time.perf_counter())
        per_step = (times[-1] - times[0]) / (len(times) - 1)
    part = to_device(training.dataset.test_images[:TESTED], training.device)
    start = time.perf_counter()
    training.sharded.predict(part)
    synchronize(training.device)
    per_test = (time.perf_counter() - start) * len(training.dataset.test_images) / len(part)
    left = training.total_steps - training.step
    return Estimate(per_step, per_test, left, -(-left // len(training.batches)), peak_memory(training.device))


@contextmanager
def _put_back(training: "Training") -> Iterator[None]:
    optimizer = training.optimizer
    arrays = training.arrays()
    copies = [array.copy() for array in arrays]
    step, step_count, lr, recent = training.step, optimizer.step_count, optimizer.lr, list(training.recent)
    try:
        yield
    finally:
        for array, copy in zip(arrays, copies, strict=True):
            array[...] = copy
        training.step, optimizer.step_count, optimizer.lr, training.recent = step, step_count, lr, recent


def peak_memory(device: str) -> int | None:
    """Most bytes that the process, or on a GPU the memory pools, has held so far; None where nobody knows."""
    if device == "gpu":
        return int(get_device(device).xp.get_default_memory_pool().total_bytes()) + graph_bytes()
    try:
        import resource
    except ImportError:         # Windows
        return None
    import sys
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
