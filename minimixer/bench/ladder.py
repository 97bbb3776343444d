"""``minimixer bench ladder``: what each optimization of the engine gains, on one block of the micro Mixer.

Times forward and backward with batch 128.  Each rung runs in its own process, and they take turns.  The machine must be
idle.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from minimixer import nn
from minimixer.autograd import grad
from minimixer.bench.children import Child
from minimixer.bench.machine import describe, machine
from minimixer.bench.report import table
from minimixer.bench.results import check_results, write_json
from minimixer.bench.timing import Timed, interleave
from minimixer.console import Computing, at_least, parse
from minimixer.errors import OK, MinimixerError
from minimixer.ops.registry import reference_kernels
from minimixer.parallel.host import keep_freed_memory
from minimixer.tensor import Tensor

BATCH = 128

# name: fast forms?, in shards?, single-threaded BLAS?, keep freed memory?, a thread on every core?, compiled loops?
RUNGS: dict[str, tuple[bool, bool, bool, bool, bool, bool]] = {
    "reference ops, whole batch": (False, False, False, False, False, False),
    "reference ops, shards": (False, True, False, False, False, False),
    "fast forms, whole batch": (True, False, False, False, False, False),
    "fast forms, shards, one thread": (True, True, True, False, False, False),
    "... and freed memory kept": (True, True, True, True, False, False),
    "... and all cores": (True, True, True, True, True, False),
}
if find_spec("numba"):
    RUNGS["... and compiled loops"] = (True, True, True, True, True, True)


class Rung(Timed):
    """One way to compute the gradients of a block: of x (B, S, C) and of every parameter."""

    def __init__(self, fast: bool, in_shards: bool, one_blas_thread: bool, kept_memory: bool, all_cores: bool,
                 compiled: bool):
        import numpy as np
        from threadpoolctl import threadpool_limits

        from minimixer.parallel import Workers
        from minimixer.parallel.shards import shards
        stack = ExitStack()                     # until the process ends
        if not fast:
            stack.enter_context(reference_kernels())
        if one_blas_thread:
            stack.enter_context(threadpool_limits(1, user_api="blas"))
        if kept_memory:
            keep_freed_memory()
        workers = Workers(kernels="fast" if compiled else "inplace")
        self.map: Any = stack.enter_context(workers).map if all_cores else map
        self.stack = stack

        config = nn.MIXERS["micro"]
        rng = np.random.default_rng(0)
        shape = BATCH, config.num_patches, config.hidden_dim
        self.x, self.gy = (rng.standard_normal(shape, np.float32) for _ in range(2))
        self.block_of_mixer = nn.MixerBlock(config, init=nn.lecun_normal(rng))
        self.params = self.block_of_mixer.parameters()
        self.cuts = shards(BATCH, config) if in_shards else [slice(0, BATCH)]

    def gradients(self, shard: slice) -> Sequence[Any]:
        """Gradients of one shard, x first."""
        x = Tensor(self.x[shard], requires_grad=True)
        loss = (self.block_of_mixer(x) * Tensor(self.gy[shard])).sum()
        return grad(loss, [x, *self.params])

    def step(self) -> list[Any]:
        """Gradients of the parameters, summed over the shards."""
        total: list[Any] = []
        for _, *gradients in self.map(self.gradients, self.cuts):
            if not total:
                total = [g.copy() for g in gradients]
            else:
                for t, g in zip(total, gradients, strict=True):
                    t += g
        return total

    def checksums(self) -> list[float]:
        """One number per gradient, to compare the rungs."""
        return [float(abs(g).sum()) for g in self.step()]


@contextmanager
def rungs() -> Iterator[dict[str, Child]]:
    """Every rung in its own process."""
    children = {name: Child(Rung, *flags) for name, flags in RUNGS.items()}
    try:
        yield children
    finally:
        for child in children.values():
            child.close()


@dataclass(frozen=True)
class Ladder(Computing):
    """Options of ``bench ladder``."""

    rounds: int = 7
    """Rounds; every rung has one turn per round."""
    json: Path | None = None
    """Write all samples and the machine to this file."""

    def __post_init__(self) -> None:
        at_least(1, rounds=self.rounds)


def main(arguments: Sequence[str]) -> int:
    """Measure the ladder and print it."""
    options = parse(Ladder, "bench ladder",
                    "What each optimization of the engine gains, on a block of the micro Mixer.", arguments)
    check_results("ladder", json=options.json)
    here = machine()
    with rungs() as children:
        sums = {name: child.call("checksums") for name, child in children.items()}
        reference = sums[next(iter(RUNGS))]
        for name, values in sums.items():
            if not all(abs(a - b) < 1e-3 * b for a, b in zip(values, reference, strict=True)):
                raise MinimixerError(f"{name}: its gradients differ from those of the reference ops")
        steps = {name: child.call("calibrate") for name, child in children.items()}
        samples = interleave({name: partial(child.call, "block", steps[name]) for name, child in children.items()},
                             options.rounds)

    seconds = {name: median(s["seconds"] for s in samples[name]) for name in RUNGS}
    faults = {name: median(s["faults"] for s in samples[name]) for name in RUNGS}
    first = seconds[next(iter(RUNGS))]
    rows = [[f"{i}. {name}", f"{1e3 * seconds[name]:.1f}", f"{first / seconds[name]:.2f}", f"{faults[name]:,.0f}"]
            for i, name in enumerate(RUNGS, 1)]
    print(describe(here), table(["rung", "ms", "speed-up", "page faults"], rows), sep="\n\n")
    if options.json:
        write_json(options.json, {"machine": here, "batch": BATCH, "steps": steps, "samples": samples})
    return OK
