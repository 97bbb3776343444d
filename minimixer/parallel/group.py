"""The processes that train together, and their collective calls.  A process by itself is a group of one.

The names are those of MPI and torch.distributed.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from minimixer.backend import Array
from minimixer.data import Dataset
from minimixer.parallel.tree_sum import Span

R = TypeVar("R")


class Group:
    """One process by itself, and the interface of every other group.

    All processes of a group make the same calls in the same order.  Use it as a context manager: leaving it by an
    exception ends every process of the group.

    Attributes
    ----------
    rank, size : int
        The number of this process, from 0, and how many there are.  Only the first prints and writes files.
    """

    rank = 0
    size = 1

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        pass

    def use(self, device: str) -> None:
        """State where the arrays of ``all_reduce_sum`` live.  Raises DeviceError if the processes disagree."""

    def threads(self) -> int | None:
        """How many threads this process should run; None for one per physical core."""
        return None

    def all_reduce_sum(self, sums: Sequence[Array], spans: Sequence[Sequence[Span]], length: int) -> Array:
        """Add up all shards of all processes, in the order that ``tree_sum.py`` fixes.

        Parameters
        ----------
        sums : sequence of array, shape (length,)
            Those of this process, one for each of its spans; at least one.  They are consumed.
        spans : sequence of sequence of pair of int
            The spans of every process.
        length : int

        Returns
        -------
        array, shape (length,)
            The same in every process.
        """
        return sums[0]

    def all_reduce_max(self, number: int) -> int:
        """The largest of the numbers that the processes gave."""
        return number

    def all_gather(self, rows: Array) -> Array:
        """The rows of all processes, concatenated in the order of the ranks.  rows: (n, ...) -> (N, ...)."""
        return rows

    def broadcast(self, value: Any) -> Any:
        """The first process's value; anything that can be pickled."""
        return value

    def broadcast_arrays(self, arrays: Sequence[Array]) -> None:
        """Overwrite these arrays with those of the first process."""

    def load(self, read: Callable[[], Dataset]) -> Dataset:
        """A data set, held once in the memory of each machine."""
        return read()

    def check_equal(self, name: str, digest: str) -> None:
        """Compare what every process has.

        Parameters
        ----------
        name : str
            What it is, for the error: ``"training data"``.
        digest : str
            Equal where it is equal.

        Raises
        ------
        RunError
            In every process, if one of them has something else than the first; the message names it.
        """

    def on_first(self, work: Callable[[], R]) -> R:
        """Run ``work`` in the first process only; every process returns its result, or raises its exception."""
        if self.size == 1:
            return work()
        outcome: Any = None
        if self.rank == 0:
            try:
                outcome = True, work()
            except Exception as error:
                outcome = False, error
        done, result = self.broadcast(outcome)
        if not done:
            raise result
        return result
