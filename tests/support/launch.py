"""Starts training runs under mpiexec, and one whose process of a given rank fails.

    mpiexec -n 2 python -m tests.support.launch KIND RANK [FLAGS of minimixer train]
"""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
NEEDS_MPI = pytest.mark.skipif(MPIEXEC is None or find_spec("mpi4py") is None,
                               reason='needs MPI: pip install "minimixer[mpi]" mpich')
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PMI_", "OMPI_", "PMIX_"))}


def command(ranks, *arguments, module="minimixer.train"):
    run = [sys.executable, "-m", module, *map(str, arguments)]
    return [MPIEXEC, "-n", str(ranks), *run] if ranks > 1 else run


def train(ranks, *flags, module="minimixer.train", limit=120):
    return subprocess.run(command(ranks, *flags, module=module), capture_output=True, text=True, timeout=limit,
                          env=ENVIRONMENT)


def own_machine(mpi):
    """Let each process count as one on a machine of its own."""
    original = mpi.MpiGroup.__init__

    def started(group, module):
        original(group, module)
        group.node = group.world.Split(group.rank)

    mpi.MpiGroup.__init__ = started


def main(kind, rank, *flags):
    from minimixer.train import loop
    from tests.support.commands import train as main
    original = loop.train_step

    def step(run, images, labels):
        if run.state.step == 7 and run.group.rank == int(rank):
            if kind == "bug":
                raise ZeroDivisionError("a bug")
            if kind == "memory":
                raise MemoryError("could not allocate 9 TB")
            if kind == "diverges":
                run.sharded.params[0].data[...] = float("nan")
        return original(run, images, labels)

    loop.train_step = step
    return main(flags)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
