import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from minimixer import nn
from minimixer.backend import DeviceError
from minimixer.data import Augmentation, Batches, Dataset
from minimixer.errors import RunError
from minimixer.gpu.nccl import Nccl
from minimixer.parallel import Group, ShardedModel, Workers, open_group
from minimixer.parallel.host import launched
from minimixer.parallel.mpi import MpiGroup, see_one_gpu

MPICH = {"PMI_RANK": "1", "PMI_SIZE": "4"}


@pytest.mark.parametrize(("environment", "expected"), [
    ({}, None), (MPICH, (1, 4)), ({"PMI_RANK": "0", "PMI_SIZE": "1"}, None),
    ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "3"}, (2, 3)),
    ({"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8"}, (5, 8)),
    ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, None),         # in a batch script, outside of srun
    ({"PMI_RANK": "x", "PMI_SIZE": "4"}, None)])
def test_the_launcher_is_recognised_by_what_it_sets(environment, expected):
    assert launched(environment) == expected


def test_without_mpi4py_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert type(open_group("auto")) is Group                    # one process: nobody asks for it
    with pytest.raises(RunError, match=r'--distributed mpi was asked for.*pip install "minimixer\[mpi\]"'):
        open_group("mpi")
    for name, value in MPICH.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("minimixer.parallel.launch.launched", lambda: (1, 4))
    with pytest.raises(RunError, match="4 processes were started together, but mpi4py cannot be used"):
        open_group("auto")
    assert type(open_group("off")) is Group


def test_an_mpiexec_of_another_mpi_is_noticed(monkeypatch):
    package, world = types.ModuleType("mpi4py"), types.SimpleNamespace(Get_size=lambda: 1)
    package.MPI = types.SimpleNamespace(COMM_WORLD=world, Get_library_version=lambda: "Some MPI 4.1\nmore")
    monkeypatch.setitem(sys.modules, "mpi4py", package)
    monkeypatch.setattr("minimixer.parallel.launch.launched", lambda: (0, 4))
    with pytest.raises(RunError, match=r"sees 1: .* two kinds of MPI \(mpi4py's is Some MPI 4.1\)"):
        open_group("auto")


@pytest.mark.parametrize(("given", "place", "expected"), [
    (None, 2, "2"), ("4,5,6", 1, "5"), ("4,5", 2, ""), ("3", 1, "3"), ("GPU-a,GPU-b", 0, "GPU-a")])
def test_every_process_sees_one_gpu(given, place, expected):
    environment = {} if given is None else {"CUDA_VISIBLE_DEVICES": given}
    see_one_gpu(place, environment)
    assert environment["CUDA_VISIBLE_DEVICES"] == expected


MIXING = {"cutmix": 1.0, "mixup": 0.8, "mixing": 0.7}


@pytest.mark.parametrize("options", [
    {}, {"crop_padding": 2, "flip": True}, {"randaugment": 2}, {"erasing": 0.4}, MIXING,
    {"crop_padding": 2, "flip": True, "randaugment": 1, "erasing": 0.4, **MIXING}])
@pytest.mark.parametrize("part", [slice(0, 7), slice(7, 20), slice(19, 20), slice(0, 20)])
def test_a_part_of_a_batch_is_that_of_the_whole_batch(part, options, rng):
    dataset = Dataset("made", rng.integers(0, 256, (50, 8, 8, 3), np.uint8), rng.integers(0, 4, 50),
                      np.zeros((1, 8, 8, 3), np.uint8), np.zeros(1, int), ("a", "b", "c", "d"))
    whole = Batches(dataset, 20, 3, Augmentation(**options))
    some = Batches(dataset, 20, 3, Augmentation(**options), part=part)
    for step in range(4):
        for ours, theirs in zip(some[step], whole[step], strict=True):
            assert np.array_equal(ours, theirs[part])


class Playing(Group):
    """One process of a group, played after the others: it keeps what it would have sent."""

    def __init__(self, rank, size):
        self.rank, self.size, self.kept = rank, size, []

    def all_reduce_sum(self, sums, spans, length):
        self.kept = list(zip(spans[self.rank], [s.copy() for s in sums], strict=True))
        return sums[0]


def test_the_shards_of_more_processes_than_there_are_shards(rng):
    images, labels = rng.integers(0, 256, (24, 32, 32, 3), np.uint8), rng.integers(0, 10, 24)
    model = nn.mixer("pico")
    statistics = np.zeros(3, np.float32), np.ones(3, np.float32)
    with Workers(1) as workers:
        whole = ShardedModel(model, workers, *statistics)
        loss, correct, gradients = whole.gradients(images, labels, 0)
        plans, parts = [], []
        for rank in range(6):
            part = ShardedModel(model, workers, *statistics, group=Playing(rank, 6))
            plans.append(part.plan(24))
            mine = plans[-1].images
            part.gradients(images[mine], labels[mine], 0, 24)
            parts += part.group.kept
    assert len(whole.plan(24).shards) == 1
    assert [plan.images for plan in plans] == [slice(4 * r, 4 * r + 4) for r in range(6)]
    *sums, their_loss, their_correct = whole._views(sum(array for _, array in parts))
    assert their_loss == pytest.approx(float(loss), rel=1e-5)
    assert their_correct == correct
    for ours, theirs in zip(sums, gradients, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-3, atol=1e-6)


class FakeNccl:
    """CuPy's module: it notes what it is asked for."""

    available, NCCL_SUM, NCCL_FLOAT32, NCCL_FLOAT64 = True, 0, 7, 8

    class NcclError(RuntimeError):
        pass

    def __init__(self):
        self.calls = []

    def get_unique_id(self):
        return (1, 2, 3)

    def NcclCommunicator(self, size, name, rank):
        if size > 2:
            raise self.NcclError("NCCL_ERROR_INVALID_USAGE: duplicate GPU")
        self.calls.append((size, name, rank))
        return types.SimpleNamespace(allReduce=lambda *arguments: self.calls.append(arguments))


def test_nccl_is_asked_for_one_sum_in_place_on_the_current_stream(monkeypatch):
    nccl = FakeNccl()
    monkeypatch.setitem(sys.modules, "fake.cuda.nccl", nccl)        # as in CuPy, a module that nobody has imported yet
    xp = types.SimpleNamespace(__name__="fake", cuda=types.SimpleNamespace(
        get_current_stream=lambda: types.SimpleNamespace(ptr=77)))
    told = []
    communicator = Nccl(xp, 1, 2, lambda name: told.append(name) or (1, 2, 3))
    assert told == [None]                                       # the first process's name counts
    assert nccl.calls == [(2, (1, 2, 3), 1)]

    class OnDevice(np.ndarray):
        data = types.SimpleNamespace(ptr=4096)

    one, two = (np.arange(5, dtype=np.float32).view(OnDevice) for _ in range(2))
    total = communicator.total([one, two])
    assert nccl.calls[1] == (4096, 4096, 5, FakeNccl.NCCL_FLOAT32, FakeNccl.NCCL_SUM, 77)
    assert np.array_equal(total, 2 * np.arange(5))              # its own spans first
    with pytest.raises(DeviceError, match=r"NCCL refused to connect 3 GPUs .*one GPU a process"):
        Nccl(xp, 0, 3, lambda name: name)
    nccl.available = False
    with pytest.raises(DeviceError, match="CuPy finds none: pip install nvidia-nccl"):
        Nccl(xp, 0, 2, lambda name: name)


def test_nothing_but_a_launcher_makes_minimixer_look_for_mpi():
    assert importlib.util.find_spec("minimixer.parallel.mpi")
    import subprocess
    code = "import sys, minimixer.train.loop; from minimixer.parallel.launch import open_group; open_group('auto'); " \
           "print([m for m in sys.modules if 'mpi' in m.split('.')[0] and 'mpi4py' in m])"
    environment = {"PATH": "/usr/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_a_process_by_itself_meets_nobody():
    with Group() as group:
        rows = np.arange(6.0).reshape(3, 2)
        assert (group.rank, group.size, group.threads()) == (0, 1, None)
        assert group.broadcast("told") == "told"
        assert group.all_gather(rows) is rows
        assert group.all_reduce_max(7) == 7
        assert group.all_reduce_sum([rows], [[(0, 1)]], 6) is rows
        group.broadcast_arrays([rows])
        assert np.array_equal(rows, np.arange(6.0).reshape(3, 2))
        with pytest.raises(ZeroDivisionError):
            group.on_first(lambda: 1 // 0)


def test_the_collective_calls_have_the_names_of_mpi_and_torch():
    names = {"broadcast", "broadcast_arrays", "all_gather", "all_reduce_sum", "all_reduce_max"}
    assert names <= vars(Group).keys()
    assert names <= vars(MpiGroup).keys()
    assert not {"tell", "join", "total", "largest", "follow"} & {*dir(Group), *dir(MpiGroup)}


def test_group_knows_nothing_of_mpi():
    source = Path(sys.modules[Group.__module__].__file__).read_text()
    assert "minimixer.parallel.mpi" not in source
    assert "mpi4py" not in source
