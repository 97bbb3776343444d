"""One process of ``minimixer bench scaling``: times training steps and exchanges; the first process prints JSON."""

import json
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minimixer import nn, optim
from minimixer.bench.steps import random_batch, statistics, training_step
from minimixer.bench.timing import seconds_of
from minimixer.files import json_text
from minimixer.parallel import Group, open_group
from minimixer.parallel.host import prepare_process
from minimixer.parallel.step import ShardedModel
from minimixer.parallel.workers import Workers

WARM_UP = 2                                             # steps
LENGTHS = (1, 1 << 12, 1 << 16, 1 << 18, 1 << 20, 1 << 22)      # float32 numbers per test exchange
EXCHANGES = 15                                          # per length


class NoExchange(Group):
    """A process's place in a group without communication, to time the computation alone."""

    def __init__(self, group: Group):
        self.rank, self.size = group.rank, group.size


class Steps:
    """Training steps of a Mixer on random images, as ``minimixer train`` makes them."""

    def __init__(self, group: Group, workers: Workers, size: str, batch: int):
        self.group, self.batch = group, batch
        model = nn.mixer(size, seed=0)
        normalization = statistics(model.config.in_channels)
        self.together = ShardedModel(model, workers, *normalization, group=group)
        self.apart = ShardedModel(model, workers, *normalization, group=NoExchange(group))
        self.apart.at_least = self.together.at_least
        self.optimizer = optim.AdamW(model.parameters())
        self.plan = self.together.plan(batch)
        own = self.plan.images.stop - self.plan.images.start
        self.images, self.labels = random_batch(model.config, own, seed=group.rank)
        self.exchange_of_a_step = self.exchange(self.together.length)

    def step(self, sharded: ShardedModel) -> None:
        """Make one training step."""
        training_step(sharded, self.optimizer, self.images, self.labels, self.batch)

    def exchange(self, length: int) -> Callable[[], Any]:
        """A function that sums ``length`` numbers over all processes."""
        sums = [np.ones(length, np.float32) for _ in self.plan.spans[self.group.rank]]
        return lambda: self.group.all_reduce_sum(sums, self.plan.spans, length)

    def beside(self) -> None:
        """A step with an exchange of its size at the same time: the best case of overlapping the two."""
        thread = threading.Thread(target=self.exchange_of_a_step)
        thread.start()
        self.step(self.apart)
        thread.join()


def group_seconds(group: Group, work: Callable[[], Any], count: int) -> list[float]:
    """Seconds of each call, from a common start until the last process has finished."""
    def until_all_have_finished() -> None:
        work()
        group.all_reduce_max(0)

    seconds = []
    for _ in range(count):
        group.all_reduce_max(0)                                # a barrier
        seconds.append(seconds_of(until_all_have_finished))
    return seconds


def main(arguments: Sequence[str]) -> int:
    """Measure what the JSON object in the first argument asks for."""
    asked = json.loads(arguments[0])
    with open_group("auto") as group, Workers(asked["threads"]) as workers:
        steps = Steps(group, workers, asked["size"], asked["batch"])
        group_seconds(group, lambda: steps.step(steps.together), WARM_UP)
        kinds: dict[str, Callable[[], Any]] = {"step": lambda: steps.step(steps.together)}
        if asked["exchange"]:
            kinds |= {"apart": lambda: steps.step(steps.apart), "beside": steps.beside}
        seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(asked["steps"]):                 # in turns, so that a slow phase affects all of them
            for kind, work in kinds.items():
                seconds[kind] += group_seconds(group, work, 1)
        exchanges = []
        for length in (*LENGTHS, steps.together.length) if asked["exchange"] else ():
            exchange = steps.exchange(length)
            group_seconds(group, exchange, WARM_UP)
            exchanges.append([length, group_seconds(group, exchange, EXCHANGES)])
        if group.rank == 0:
            print(json_text({"seconds": seconds, "exchanges": exchanges, "length": steps.together.length}))
    return 0


if __name__ == "__main__":
    prepare_process(sys.argv[1:])
    sys.exit(main(sys.argv[1:]))
