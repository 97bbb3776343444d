"""Processes that were started together, with other data or other settings: none of them trains a mixture."""

import sys

import numpy as np
import pytest

from minimixer.data import load_digits
from minimixer.errors import RunError
from minimixer.parallel import Group
from minimixer.parallel.mpi import MpiGroup
from tests.support.launch import NEEDS_MPI, train


class World:
    """The communicator of a process whose others have said what they have."""

    def __init__(self, said):
        self.said = said

    def allgather(self, mine):
        return [mine, *((its, "node") for its in self.said)]


def group_of(*others):
    group = object.__new__(MpiGroup)
    group.world, group.rank, group.size = World(others), 0, 1 + len(others)
    return group


def test_the_process_that_has_something_else_is_named():
    group_of("a", "a").check_equal("data", "a")
    with pytest.raises(RunError, match=r"process 2 on node of 4 has other data than process 0 on .*: expected"):
        group_of("a", "b", "a").check_equal("data", "a")
    Group().check_equal("data", "anything")


def test_a_digest_tells_data_of_the_same_shape_apart():
    digits, other = load_digits(), load_digits()
    assert digits.digest() == other.digest()
    changed = other.train_images.copy()
    changed[5, 3, 3, 0] ^= 1
    object.__setattr__(other, "train_images", changed)
    assert digits.digest() != other.digest()
    object.__setattr__(digits, "class_names", tuple(reversed(digits.class_names)))
    assert len({digits.digest(), other.digest(), load_digits().digest()}) == 3


def main(kind, *flags):
    """One process of several, each as if on a machine of its own, where the first label of process 1 differs."""
    from dataclasses import replace

    from minimixer.data import known
    from minimixer.parallel import mpi
    from tests.support.commands import train
    from tests.support.launch import own_machine

    own_machine(mpi)
    load = known.load

    def changed(*arguments):
        from mpi4py import MPI
        data = load(*arguments)
        labels = np.array(data.train_labels)
        if kind == "other" and MPI.COMM_WORLD.Get_rank() == 1:
            labels[0] = (labels[0] + 1) % 10
        return replace(data, train_labels=labels)

    known.load = changed
    return train(flags)


FLAGS = ("digits", "--max-steps", "4", "--workers", "1")


@NEEDS_MPI
def test_machines_with_other_data_do_not_train(tmp_path):
    done = train(2, "other", *FLAGS, "--out", tmp_path / "run", module="tests.field.test_ranks")
    assert done.returncode == 1
    assert "process 1 on" in done.stderr
    assert "has other data (digits) than process 0" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "last.safetensors").exists()
    done = train(2, "same", *FLAGS, "--out", tmp_path / "same", module="tests.field.test_ranks")
    assert done.returncode == 0, done.stderr


@NEEDS_MPI
def test_processes_with_other_settings_do_not_train(tmp_path):
    done = train(2, "settings", *FLAGS, "--out", tmp_path / "run", module="tests.field.test_ranks")
    assert done.returncode == 1
    assert "process 1 on" in done.stderr
    assert "has other settings than process 0" in done.stderr


if __name__ == "__main__":
    if sys.argv[1] == "settings":
        import os
        sys.argv += ["--seed", os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", "0"))]
    sys.exit(main(*sys.argv[1:]))
