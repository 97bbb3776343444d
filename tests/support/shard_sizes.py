"""``python -m tests.support.shard_sizes``: the time of a training step by the number of images in a shard.

The machine must be idle.  Models can be named: ``python -m tests.support.shard_sizes convnet-pico B/16``.
"""

import sys
from functools import partial
from statistics import median
from unittest.mock import patch

from minimixer import nn
from minimixer.bench.machine import describe, machine
from minimixer.bench.report import table
from minimixer.bench.steps import random_batch, statistics
from minimixer.bench.timing import interleave, seconds_of
from minimixer.parallel import step
from minimixer.parallel.host import keep_freed_memory
from minimixer.parallel.shards import even, shards
from minimixer.parallel.step import ShardedModel
from minimixer.parallel.workers import Workers

BATCHES = {"pico": 128, "nano": 128, "micro": 128, "tiny": 128, "vit-micro": 128, "convnet-pico": 128,
           "convnet-micro": 128, "S/32": 32, "B/16": 12}
IMAGES = (1, 3, 8, 16, 32)
WARM, STEPS = 1, 5


def of_images(images, batch_size, *_):
    """Shards of at most so many images."""
    return even(batch_size, -(-batch_size // images))


def gradients(cuts, model, images, labels):
    with patch.object(step, "shards", cuts):
        model.gradients(images, labels, 0)


def main(names):
    keep_freed_memory()
    print(describe(machine()))
    rows = []
    with Workers() as workers:
        for name in names or BATCHES:
            model, batch = nn.build(name), BATCHES[name]
            config = model.config
            images, labels = random_batch(config, batch)
            sharded = ShardedModel(model, workers, *statistics(config.in_channels))
            chosen = {0: shards, **{n: partial(of_images, n) for n in IMAGES if n <= batch}}
            samples = interleave({str(n): partial(seconds_of, partial(gradients, cuts, sharded, images, labels))
                                  for n, cuts in chosen.items()}, WARM + STEPS, pause=0)
            ms = {n: f"{1e3 * median(samples[str(n)][WARM:]):,.0f}" for n in chosen}
            rows.append([name, str(batch), f"{4 * config.widest_array / 2**20:.2f}", *(ms.get(n, "") for n in IMAGES),
                         ms[0], str(-(-batch // len(shards(batch, config))))])
            print(*rows[-1], flush=True)
    print(table(["model", "batch", "MB/image", *map(str, IMAGES), "chosen", "images"], rows))


if __name__ == "__main__":
    main(sys.argv[1:])
