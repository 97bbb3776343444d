"""Where the processes of a run meet.  A process alone is the plain case: it meets nobody."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from minimixer.backend import Array
from minimixer.data import Dataset
from minimixer.kernels.host import launched
from minimixer.train.ordered import Span
from minimixer.train.setup import RunError

R = TypeVar("R")
Wanted = Literal["auto", "mpi", "off"]


class Group:
    """One process, alone, and what every kind of group can do.

    All processes of a group make the same calls in the same order.  Use it as a context manager: one that is left by an
    exception ends the whole group.

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
        """Say where the arrays of ``total`` live.  Raises DeviceError if the processes do not agree."""

    def threads(self) -> int | None:
        """How many threads this process should run; None for one a physical core."""
        return None

    def total(self, sums: Sequence[Array], spans: Sequence[Sequence[Span]], length: int) -> Array:
        """Add up all shards of all processes, in the order that ``ordered.py`` fixes.

        Parameters
        ----------
        sums : sequence of array, shape (length,)
            Of this process: one for each of its spans, of which there is at least one.  They are used up.
        spans : sequence of sequence of pair of int
            Those of every process.
        length : int

        Returns
        -------
        array, shape (length,)
            The same in every process.
        """
        return sums[0]

    def join(self, rows: Array) -> Array:
        """The rows of all processes, one after the other in the order of the ranks.  rows: (n, ...) -> (N, ...)."""
        return rows

    def follow(self, arrays: Sequence[Array]) -> None:
        """Overwrite these arrays by those of the first process."""

    def tell(self, what: Any) -> Any:
        """What the first process gave; anything that can be pickled."""
        return what

    def largest(self, number: int) -> int:
        """The largest of the numbers that the processes gave."""
        return number

    def load(self, read: Callable[[], Dataset]) -> Dataset:
        """A data set, held once in the memory of each machine."""
        return read()

    def on_first(self, work: Callable[[], R]) -> R:
        """What ``work`` returns or raises in the first process, in every process; the others do not run it."""
        if self.size == 1:
            return work()
        outcome: Any = None
        if self.rank == 0:
            try:
                outcome = True, work()
            except Exception as error:
                outcome = False, error
        done, result = self.tell(outcome)
        if not done:
            raise result
        return result


def library_of(mpi: Any) -> str:
    """What the MPI library behind ``mpi4py.MPI`` calls itself, shortly."""
    return " ".join(mpi.Get_library_version().split(",")[0].splitlines()[0].split())


def open_group(wanted: Wanted) -> Group:
    """The processes that were started together with this one.

    Parameters
    ----------
    wanted : "auto", "mpi" or "off"
        "auto" asks MPI only where mpiexec or srun started this process; "off" leaves every process to itself.

    Raises
    ------
    RunError
        If mpi4py is missing, or talks to another MPI than the one that started the processes.
    """
    place = launched()
    if wanted == "off" or (wanted == "auto" and place is None):
        return Group()
    begun = f"{place[1]} processes were started together" if place else "--distributed mpi was asked for"
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise RunError(f'{begun}, but mpi4py cannot be used ({error}): pip install "minimixer[mpi]", and mpich too '
                       "where the machine has no MPI; or give --distributed off, and each trains for itself") from error
    except RuntimeError as error:       # mpi4py is there, and no MPI library
        raise RunError(f"{begun}, but mpi4py found no MPI library: pip install mpich, or load your site's MPI"
                       ) from error
    from minimixer.train.mpi import MpiGroup
    size = MPI.COMM_WORLD.Get_size()
    if place is not None and size != place[1]:
        raise RunError(f"{begun}, but mpi4py sees {size}: mpiexec and mpi4py belong to two kinds of MPI "
                       f"(mpi4py's is {library_of(MPI)}); see docs/scaling.md")
    return MpiGroup(MPI) if size > 1 else Group()
