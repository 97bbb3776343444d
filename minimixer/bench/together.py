"""What each process of ``minimixer bench scaling`` does: training steps and exchanges, timed; the first prints JSON."""

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minimixer import nn, optim
from minimixer.bench.peers import training_step
from minimixer.parallel import Group, ShardedModel, Workers, open_group
from minimixer.parallel.host import prepare_process

WARM_UP = 2                                             # steps
LENGTHS = (1, 1 << 12, 1 << 16, 1 << 18, 1 << 20, 1 << 22)      # float32 numbers a test exchange
EXCHANGES = 15                                          # of each length


class Unmet(Group):
    """The place of a process in a group, whose sum is left out: what the computation costs without it."""

    def __init__(self, group: Group):
        self.rank, self.size = group.rank, group.size


class Steps:
    """Training steps of a Mixer on random pictures, as ``minimixer train`` makes them."""

    def __init__(self, group: Group, workers: Workers, size: str, batch: int):
        self.group, self.batch = group, batch
        model = nn.mixer(size, seed=0)
        side, channels = model.config.image_size, model.config.in_channels
        statistics = np.full(channels, 0.5, np.float32), np.full(channels, 0.25, np.float32)
        self.together = ShardedModel(model, workers, *statistics, group=group)
        self.apart = ShardedModel(model, workers, *statistics, group=Unmet(group))
        self.apart.at_least = self.together.at_least
        self.optimizer = optim.AdamW(model.parameters())
        self.plan = self.together.plan(batch)
        own = self.plan.images.stop - self.plan.images.start
        rng = np.random.default_rng(group.rank)
        self.images = rng.integers(0, 256, (own, side, side, channels), np.uint8)
        self.labels = rng.integers(0, model.config.num_classes, own)
        self.exchange_of_a_step = self.exchange(self.together.length)

    def step(self, sharded: ShardedModel) -> None:
        """Gradients, clipping, update."""
        training_step(sharded, self.optimizer, self.images, self.labels, self.batch)

    def exchange(self, length: int) -> Callable[[], Any]:
        """What adds up as many numbers as are asked for."""
        sums = [np.ones(length, np.float32) for _ in self.plan.spans[self.group.rank]]
        return lambda: self.group.all_reduce_sum(sums, self.plan.spans, length)

    def beside(self) -> None:
        """A step with an exchange of its size at the same time: the best that an overlap of the two could reach."""
        thread = threading.Thread(target=self.exchange_of_a_step)
        thread.start()
        self.step(self.apart)
        thread.join()


def timed(group: Group, work: Callable[[], Any], count: int) -> list[float]:
    """Seconds of each call, from a common start to the end of the last process."""
    seconds = []
    for _ in range(count):
        group.all_reduce_max(0)
        start = time.perf_counter()
        work()
        group.all_reduce_max(0)
        seconds.append(time.perf_counter() - start)
    return seconds


def main(arguments: Sequence[str]) -> int:
    """Measure what the JSON object in the first argument says."""
    asked = json.loads(arguments[0])
    with open_group("auto") as group, Workers(asked["threads"]) as workers:
        steps = Steps(group, workers, asked["size"], asked["batch"])
        timed(group, lambda: steps.step(steps.together), WARM_UP)
        kinds: dict[str, Callable[[], Any]] = {"step": lambda: steps.step(steps.together)}
        if asked["exchange"]:
            kinds |= {"apart": lambda: steps.step(steps.apart), "beside": steps.beside}
        seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(asked["steps"]):                 # in turns, so that a busy machine slows all of them
            for kind, work in kinds.items():
                seconds[kind] += timed(group, work, 1)
        exchanges = []
        for length in (*LENGTHS, steps.together.length) if asked["exchange"] else ():
            exchange = steps.exchange(length)
            timed(group, exchange, WARM_UP)
            exchanges.append([length, timed(group, exchange, EXCHANGES)])
        if group.rank == 0:
            print(json.dumps({"seconds": seconds, "exchanges": exchanges, "length": steps.together.length}))
    return 0


if __name__ == "__main__":
    prepare_process(sys.argv[1:])
    sys.exit(main(sys.argv[1:]))
