"""``minimixer bench ladder``: what each means of the fast engine gains, on one block of the micro Mixer.

Forward and backward, batch 128.  Each rung lives in a process of its own; all take turns; the machine must be idle.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import minimixer as mm
from minimixer import nn
from minimixer.bench.children import Child, Timed, interleave
from minimixer.bench.report import describe, machine, table
from minimixer.console import Computing, at_least, parse
from minimixer.errors import OK, MinimixerError
from minimixer.parallel.host import keep_freed_memory

BATCH = 128

# name: the fast pairs?, in shards?, single-threaded BLAS?, kept memory?, a thread on every core?, compiled loops?
RUNGS: dict[str, tuple[bool, bool, bool, bool, bool, bool]] = {
    "reference ops, whole batch": (False, False, False, False, False, False),
    "reference ops, shards": (False, True, False, False, False, False),
    "fast pairs, whole batch": (True, False, False, False, False, False),
    "fast pairs, shards, one thread": (True, True, True, False, False, False),
    "... and kept memory": (True, True, True, True, False, False),
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
            stack.enter_context(mm.reference_kernels())
        if one_blas_thread:
            stack.enter_context(threadpool_limits(1, user_api="blas"))
        if kept_memory:
            keep_freed_memory()
        workers = Workers(kernels="fast" if compiled else "inplace")
        self.map: Any = stack.enter_context(workers).map if all_cores else map
        self.stack = stack

        config = nn.VARIANTS["micro"]
        rng = np.random.default_rng(0)
        shape = BATCH, config.num_patches, config.hidden_dim
        self.x, self.gy = (rng.standard_normal(shape, np.float32) for _ in range(2))
        self.block_of_mixer = nn.MixerBlock(config, init=nn.lecun_normal(rng))
        self.params = self.block_of_mixer.parameters()
        self.cuts = shards(BATCH, config) if in_shards else [slice(0, BATCH)]

    def gradients(self, shard: slice) -> Sequence[Any]:
        """Those of one shard, x first."""
        x = mm.Tensor(self.x[shard], requires_grad=True)
        loss = (self.block_of_mixer(x) * mm.Tensor(self.gy[shard])).sum()
        return mm.grad(loss, [x, *self.params])

    def step(self) -> list[Any]:
        """Gradients of the parameters, the shards' added up."""
        total: list[Any] = []
        for _, *gradients in self.map(self.gradients, self.cuts):
            if not total:
                total = [g.copy() for g in gradients]
            else:
                for t, g in zip(total, gradients, strict=True):
                    t += g
        return total

    def witness(self) -> list[float]:
        """A number a gradient, by which the rungs are compared."""
        return [float(abs(g).sum()) for g in self.step()]


@contextmanager
def rungs() -> Iterator[dict[str, Child]]:
    """Every rung in its process."""
    children = {name: Child(Rung, *flags) for name, flags in RUNGS.items()}
    try:
        yield children
    finally:
        for child in children.values():
            child.close()


@dataclass(frozen=True)
class Ladder(Computing):
    """How the ladder is climbed."""

    rounds: int = 7
    """Turns of every rung."""
    json: Path | None = None
    """Write every sample and the machine into this file."""

    def __post_init__(self) -> None:
        at_least(1, rounds=self.rounds)


def main(arguments: Sequence[str]) -> int:
    """Climb the ladder and print it."""
    options = parse(Ladder, "bench ladder", "What each means of the fast engine gains, on a block of the micro Mixer.",
                    arguments)
    here = machine()
    with rungs() as children:
        sums = {name: child.call("witness") for name, child in children.items()}
        reference = sums[next(iter(RUNGS))]
        for name, values in sums.items():
            if not all(abs(a - b) < 1e-3 * b for a, b in zip(values, reference, strict=True)):
                raise MinimixerError(f"{name}: other gradients than those of the reference ops")
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
        options.json.write_text(json.dumps({"machine": here, "batch": BATCH, "steps": steps, "samples": samples},
                                           indent=1))
    return OK
