"""Which group a process belongs to: by itself, or with those that a launcher started beside it."""

from typing import Literal

from minimixer.errors import RunError
from minimixer.parallel.group import Group
from minimixer.parallel.host import launched
from minimixer.parallel.mpi import MpiGroup, library_of

Wanted = Literal["auto", "mpi", "off"]


def open_group(wanted: Wanted) -> Group:
    """The processes that were started together with this one.

    Parameters
    ----------
    wanted : "auto", "mpi" or "off"
        "auto" asks MPI only if mpiexec or srun started this process; "off" leaves every process to itself.

    Raises
    ------
    RunError
        If mpi4py is missing, or belongs to another MPI than the launcher.
    """
    place = launched()
    if wanted == "off" or (wanted == "auto" and place is None):
        return Group()
    begun = f"{place[1]} processes were started together" if place else "--distributed mpi was asked for"
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise RunError(f'{begun}, but mpi4py cannot be used ({error}): pip install "minimixer[mpi]", and mpich too if '
                       "the machine has no MPI; or give --distributed off, and each process trains by itself"
                       ) from error
    except RuntimeError as error:       # mpi4py is there, and no MPI library
        raise RunError(f"{begun}, but mpi4py found no MPI library: pip install mpich, or load your site's MPI"
                       ) from error
    size = MPI.COMM_WORLD.Get_size()
    if place is not None and size != place[1]:
        raise RunError(f"{begun}, but mpi4py sees {size}: mpiexec and mpi4py belong to two kinds of MPI "
                       f"(mpi4py's is {library_of(MPI)}); see docs/scaling.md")
    return MpiGroup(MPI) if size > 1 else Group()
