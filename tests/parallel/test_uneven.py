"""Machines with different numbers of processes: every collective call must be made by all of them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from minimixer.data import Dataset
from minimixer.parallel.mpi import MpiGroup


class Communicator:
    """What `load` asks of a communicator of mpi4py, between threads; a call that not all make is an error."""

    def __init__(self, size):
        self.barrier = threading.Barrier(size, timeout=5)
        self.given = [None] * size

    def of(self, rank):
        return Rank(self, rank)


class Rank:
    def __init__(self, communicator, rank):
        self.all, self.rank = communicator, rank

    def meet(self, call, value):
        self.all.given[self.rank] = call, value
        self.all.barrier.wait()
        calls, values = zip(*self.all.given, strict=True)
        self.all.barrier.wait()
        assert set(calls) == {call}
        return list(values)

    def allgather(self, value):
        return self.meet("allgather", value)

    def bcast(self, value):
        return self.meet("bcast", value)[0]

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return len(self.all.given)


def test_two_processes_on_one_machine_and_one_on_another_load_and_go_on():
    world, machines = Communicator(3), (Communicator(2), Communicator(1))
    made = Dataset("made", np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3), np.zeros(1, int),
                   np.zeros((1, 8, 8, 3), np.uint8), np.zeros(1, int), ("a",))

    def process(rank):
        group = object.__new__(MpiGroup)
        group.rank, group.size, group.world = rank, 3, world.of(rank)
        group.node = machines[rank // 2].of(rank % 2)
        loaded = group.load(lambda: made)
        return loaded, group.world.bcast(f"from {rank}")

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(process, range(3)))
    assert [told for _, told in results] == ["from 0"] * 3
    assert all(np.array_equal(loaded.train_images, made.train_images) for loaded, _ in results)
