"""``python -m tests.support.share``: the share of a training step that the update by Muon takes, beside AdamW's.

The machine must be idle.  Sizes can be named: ``python -m tests.support.share micro``.
"""

import sys
from functools import partial
from statistics import median

from minimixer import nn, optim
from minimixer.bench.machine import describe, machine
from minimixer.bench.steps import LR, MAX_NORM, SMOOTHING, WEIGHT_DECAY, random_batch, statistics
from minimixer.bench.timing import interleave, seconds_of
from minimixer.parallel.host import keep_freed_memory
from minimixer.parallel.step import ShardedModel
from minimixer.parallel.workers import Workers

BATCH, WARM, STEPS = 128, 5, 20


def main(sizes: list[str]) -> None:
    keep_freed_memory()
    print(describe(machine()))
    with Workers() as workers:
        for size in sizes or ["pico", "nano", "micro"]:
            model = nn.mixer(size)
            images, labels = random_batch(model.config, BATCH)
            sharded = ShardedModel(model, workers, *statistics(model.config.in_channels), SMOOTHING)
            optimizers = {"Muon": optim.Muon(model, LR, weight_decay=WEIGHT_DECAY, map=workers.map),
                          "AdamW": optim.AdamW(model, LR, weight_decay=WEIGHT_DECAY)}
            gradients = sharded.gradients(images, labels, 0)[2]
            parts = {"gradients": partial(sharded.gradients, images, labels, 0)} | {
                name: partial(optimizer.step, gradients, optim.clip_factor(gradients, MAX_NORM)[0])
                for name, optimizer in optimizers.items()}
            samples = interleave({name: partial(seconds_of, part) for name, part in parts.items()},
                                 WARM + STEPS, pause=0)
            ms = {name: 1e3 * median(seconds[WARM:]) for name, seconds in samples.items()}
            print(f"{size}: gradients {ms['gradients']:.1f} ms; " + "; ".join(
                f"{name} {ms[name]:.2f} ms, {ms[name] / (ms['gradients'] + ms[name]):.1%} of a step"
                for name in optimizers))


if __name__ == "__main__":
    main(sys.argv[1:])
