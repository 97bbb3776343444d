"""Processes under MPI, on one machine or on many, and NCCL between their GPUs."""

import os
import socket
import sys
import tempfile
import time
import traceback as tracebacks
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.backend import Array, DeviceError, get_device, to_device, to_numpy
from minimixer.data import Dataset
from minimixer.errors import RunError, run_command
from minimixer.gpu.nccl import Nccl
from minimixer.parallel.group import Group
from minimixer.parallel.host import physical_cores
from minimixer.parallel.tree_sum import Span, combine

PATIENCE = 2.0      # seconds: if the others have not failed by then, the failure is this process's own


class MpiGroup(Group):
    """The processes of MPI's world.

    Parameters
    ----------
    mpi : module
        ``mpi4py.MPI``, whose import has started MPI.  Only the main thread may call the methods.
    """

    def __init__(self, mpi: Any):
        self.mpi = mpi
        self.world = mpi.COMM_WORLD.Dup()
        self.failures = mpi.COMM_WORLD.Dup()        # for those that have failed, whatever the others wait for
        self.rank, self.size = self.world.Get_rank(), self.world.Get_size()
        self.node = self.world.Split_type(mpi.COMM_TYPE_SHARED)
        self.device = "cpu"
        self.nccl: Nccl | None = None
        see_one_gpu(self.node.Get_rank(), os.environ)

    def use(self, device: str) -> None:
        """As in ``Group``; on GPUs, NCCL starts here."""
        found = self.world.allgather(device)
        if len(set(found)) > 1:
            raise DeviceError(f"process {found.index('cpu')} of {self.size} found no GPU for itself, and others did: "
                              "start at most as many processes on a machine as it has GPUs, or give --device cpu")
        self.device = device
        if device == "gpu":
            self.nccl = Nccl(get_device(device).xp, self.rank, self.size, self.broadcast)

    def threads(self) -> int | None:
        """Physical cores, divided among the processes of the machine; all of its own if the launcher bound it."""
        own = physical_cores()
        if not hasattr(os, "sched_getaffinity"):
            return max(1, own // self.node.Get_size())
        cpus = self.node.allgather(os.sched_getaffinity(0))
        sharing = sum(not mine.isdisjoint(os.sched_getaffinity(0)) for mine in cpus)
        return max(1, own // sharing)

    def all_reduce_sum(self, sums: Sequence[Array], spans: Sequence[Sequence[Span]], length: int) -> Array:
        """As in ``Group``.

        Every process sums one part of the numbers over all spans and sends the result to the others.  With one span per
        process that moves the fewest bytes any exchange can: 2 (R - 1) / R numbers out and in, for R processes.
        """
        if self.nccl is not None:
            return self.nccl.total(sums)
        cuts = [length * rank // self.size for rank in range(self.size + 1)]
        parts = [slice(cuts[rank], cuts[rank + 1]) for rank in range(self.size)]
        mine = parts[self.rank]
        arrays = [to_numpy(array) for array in sums]
        dtype = arrays[0].dtype
        received = {span: np.empty(mine.stop - mine.start, dtype) for spans_of in spans for span in spans_of}
        for span, array in zip(spans[self.rank], arrays, strict=True):
            received[span][...] = array[mine]
        self._exchange({rank: [array[part] for array in arrays] for rank, part in enumerate(parts)},
                       {rank: [received[span] for span in spans[rank]] for rank in range(self.size)})
        total = np.empty(length, dtype)
        total[mine] = combine((0, max(stop for spans_of in spans for _, stop in spans_of)), received)
        self._exchange({rank: [total[mine]] for rank in range(self.size)},
                       {rank: [total[part]] for rank, part in enumerate(parts)})
        return total

    def _exchange(self, sent: Mapping[int, list[np.ndarray]], received: Mapping[int, list[np.ndarray]]) -> None:
        """Send arrays to every other process while receiving theirs; each starts with its neighbor."""
        requests = []
        for distance in range(1, self.size):
            source, target = (self.rank - distance) % self.size, (self.rank + distance) % self.size
            requests += [self.world.Irecv(array, source, tag) for tag, array in enumerate(received[source])]
            requests += [self.world.Isend(array, target, tag) for tag, array in enumerate(sent[target])]
        self.mpi.Request.Waitall(requests)

    def all_gather(self, rows: Array) -> Array:
        """As in ``Group``; through the host's memory."""
        own = np.ascontiguousarray(to_numpy(rows))
        shapes = self.world.allgather(own.shape)
        joined = [own if rank == self.rank else np.empty(shape, own.dtype) for rank, shape in enumerate(shapes)]
        self._exchange({rank: [own] for rank in range(self.size)}, {rank: [a] for rank, a in enumerate(joined)})
        return to_device(np.concatenate(joined), self.device)

    def broadcast_arrays(self, arrays: Sequence[Array]) -> None:
        """As in ``Group``; through the host's memory."""
        for array in arrays:
            host = np.ascontiguousarray(to_numpy(array))
            self.world.Bcast(host)
            if self.rank:
                array[...] = to_device(host, self.device)

    def broadcast(self, value: Any) -> Any:
        """As in ``Group``."""
        return self.world.bcast(value)

    def all_reduce_max(self, number: int) -> int:
        """As in ``Group``."""
        found = np.array(number, np.int64)
        self.world.Allreduce(self.mpi.IN_PLACE, found, self.mpi.MAX)
        return int(found)

    def _together(self, work: Callable[[], None]) -> None:
        """Run ``work`` in every process; the exception of the lowest rank that failed is raised in all."""
        failed: Exception | None = None
        try:
            work()
        except Exception as error:
            failed = error
        for found in self.world.allgather(failed):
            if found is not None:
                raise found

    def check_equal(self, name: str, digest: str) -> None:
        """As in ``Group``."""
        found = self.world.allgather((digest, socket.gethostname()))
        others = [f"process {rank} on {host}" for rank, (its, host) in enumerate(found) if its != found[0][0]]
        if others:
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            raise RunError(f"{', '.join(others[:3])}{more} of {self.size} has other {name} than process 0 on "
                           f"{found[0][1]}: expected the same everywhere, so give every machine the same files")

    def load(self, read: Callable[[], Dataset]) -> Dataset:
        """As in ``Group``: one process per machine reads; the others map its arrays from temporary files.

        The first process of all reads before those of other machines: it may download what they will find.  All must
        have read the same.
        """
        dataset: Dataset | None = None

        def read_if(chosen: bool) -> Callable[[], None]:
            def work() -> None:
                nonlocal dataset
                if chosen:
                    dataset = read()
            return work

        self._together(read_if(self.rank == 0))
        self._together(read_if(self.rank != 0 and self.node.Get_rank() == 0))
        digest = self.node.bcast(None if dataset is None else dataset.digest())
        self.check_equal(f"data ({self.world.bcast(dataset and dataset.name)})", digest)
        names: list[str] = self.node.bcast(None if dataset is None else list(dataset.arrays))
        with tempfile.TemporaryDirectory(prefix="minimixer-", ignore_cleanup_errors=True) as folder:
            here = Path(self.node.bcast(folder))

            def write() -> None:
                if dataset is not None and self.node.Get_size() > 1:
                    for name in names:
                        np.save(here / f"{name}.npy", getattr(dataset, name))

            self._together(write)
            nothing: dict[str, Any] = dict.fromkeys(names)
            shared: dict[str, Any] = {}

            def map_arrays() -> None:
                if self.node.Get_size() > 1:
                    shared.update({name: np.asarray(np.load(here / f"{name}.npy", mmap_mode="r")) for name in names})

            self._together(map_arrays)      # on machines with one process too: the call is collective
            if self.node.Get_size() == 1:
                assert dataset is not None
                return dataset
            bare: Dataset = self.node.bcast(dataset and replace(dataset, **nothing))
        return replace(bare, **shared)      # the mapped memory outlives the files

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        """If all fail within a few seconds, each ends by itself; otherwise this one reports, and ends them all."""
        if error is None:
            return
        if isinstance(error, self.mpi.Exception):
            error = RunError("another process of the run has ended: the last checkpoint is whole, go on with --resume "
                             f"({error})")
        # One after the other, so that only one of several that have failed reports.
        deadline = time.monotonic() + PATIENCE + 0.2 * min(self.rank, 20)
        try:
            everyone = self.failures.Ibarrier()
            while not everyone.Test():
                if time.monotonic() > deadline:
                    break
                time.sleep(0.01)
            else:
                return
        except self.mpi.Exception:
            pass
        self.world.Abort(report(error, f"train, process {self.rank} of {self.size}"))


def library_of(mpi: Any) -> str:
    """A short name of the MPI library behind ``mpi4py.MPI``."""
    return " ".join(mpi.Get_library_version().split(",")[0].splitlines()[0].split())


def report(error: BaseException, name: str) -> int:
    """Report an error for all processes, and return its exit code."""
    def fail() -> int:
        raise error

    sys.stderr = sys.__stderr__         # only the first process's streams are open
    try:
        return run_command(name, fail) or 1
    except Exception:
        tracebacks.print_exception(error)
        return 1
    finally:
        if sys.stderr is not None:
            sys.stderr.flush()


def see_one_gpu(place: int, environment: Any) -> None:
    """Show a process one of its machine's GPUs, by its place on the machine, before CUDA starts.

    A GPU that the launcher has chosen stays.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        environment["CUDA_VISIBLE_DEVICES"] = str(place)
    elif len(devices := visible.split(",")) > 1:
        environment["CUDA_VISIBLE_DEVICES"] = devices[place] if place < len(devices) else ""
