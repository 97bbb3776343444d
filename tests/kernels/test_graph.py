"""A training step as a graph: the numbers of the plain one, and what cannot be recorded is not."""

import types
from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import backend, nn, optim
from minimixer.kernels.graph import Graph, Repeated, graph_bytes
from minimixer.tensor import Tensor
from minimixer.train.parallel import ShardedModel, Workers
from tests import standin
from tests.kernels.emulator import needs_compiler

CONFIG = replace(nn.VARIANTS["pico"], image_size=8, hidden_dim=6, num_blocks=2, tokens_mlp_dim=5, channels_mlp_dim=7,
                 num_classes=3)


@pytest.fixture
def graphs():
    """How many calls of graphs of the stand-in there were in this test."""
    before = standin.Graph.calls
    return lambda: standin.Graph.calls - before


class Run:
    """A few steps of training."""

    def __init__(self, device, graph, config=CONFIG, seed=0):
        self.device = device
        self.model = nn.MlpMixer(config, seed).to(device)
        side = config.image_size
        half = backend.to_device(np.full(3, 0.5, np.float32), device)
        self.sharded = ShardedModel(self.model, Workers(1), half, half, 0.1, enlarged_from=side // 2, graph=graph)
        self.optimizer = optim.AdamW(self.model.parameters(), weight_decay=0.05)
        self.rng = np.random.default_rng(seed)
        self.losses, self.correct = [], []

    def step(self, number, batch=6, soft=False, side=None):
        side = side or self.model.config.image_size
        labels = self.rng.dirichlet(np.ones(3), batch).astype("f") if soft else self.rng.integers(0, 3, batch)
        images = self.rng.integers(0, 256, (batch, side, side, 3), np.uint8)
        given = [backend.to_device(a, self.device) for a in (images, labels)]
        loss, correct, gradients = self.sharded.gradients(*given, number)
        self.optimizer.lr = 0.01 / (1 + number)
        self.optimizer.step(gradients, optim.clip_factor(gradients, 0.5)[0])
        self.losses.append(loss)
        self.correct.append(correct)

    def outcome(self):
        return ([a.tobytes() for a in self.model.state_dict().values()],
                [float(loss) for loss in self.losses], [int(n) for n in self.correct])


def both(device, steps, config=CONFIG):
    """The outcomes of a run without a graph and of one with it."""
    outcomes = []
    for graph in (False, True):
        run = Run(device, graph, config)
        for step in steps:
            step(run)
        outcomes.append(run.outcome())
    return outcomes


def test_steps_of_a_graph_give_the_bits_of_plain_ones(device, graphs):
    plain, graph = both(device, [lambda run, i=i: run.step(i) for i in range(6)])
    assert plain == graph
    assert len(set(plain[1])) == 6                  # a loss that was kept is not overwritten
    assert graphs() == (6 if device == "standin" else 0)


@needs_compiler
def test_steps_of_a_graph_of_fused_kernels_give_the_bits_of_plain_ones(emulate, graphs):
    runner = emulate()
    plain = both("standin", [lambda run, i=i: run.step(i) for i in range(4)])
    assert plain[0] == plain[1]
    assert graphs() == 4
    run = Run("standin", True)
    run.step(0)
    runner.launched.clear()
    run.step(1)
    assert set(runner.launched) == {"sums_of_squares", "norm_and_factor", "adamw"}      # Python starts no other


def test_other_shapes_and_other_kernels_are_recorded_anew(device, graphs):
    def reference(run):
        with mm.reference_kernels():
            run.step(4)

    steps = [lambda run: run.step(0), lambda run: run.step(1, batch=4), lambda run: run.step(2, batch=4, soft=True),
             lambda run: run.step(3), reference]
    plain, graph = both(device, steps)
    assert plain == graph
    assert graphs() == (5 if device == "standin" else 0)


def test_weights_that_moved_are_read_where_they_are(device, graphs):
    def swap(run):
        for p in run.model.parameters():
            p.data = p.data.copy()
            p.data *= 0.5

    plain, graph = both(device, [lambda run: run.step(0), swap, lambda run: run.step(1)])
    assert plain == graph
    assert graphs() == (2 if device == "standin" else 0)


@pytest.mark.parametrize("what", [{"dropout": 0.2}, {"stochastic_depth": 0.5}])
def test_a_model_that_draws_is_not_recorded(what, device, graphs):
    plain, graph = both(device, [lambda run, i=i: run.step(i) for i in range(3)], replace(CONFIG, **what))
    assert plain == graph
    assert graphs() == 0


def test_pictures_that_are_enlarged_are_not_recorded(device, graphs):
    plain, graph = both(device, [lambda run: run.step(0, side=4), lambda run: run.step(1, side=4)])
    assert plain == graph
    assert graphs() == 0


def test_what_fails_to_be_recorded_runs_plainly_and_says_so_once(monkeypatch):
    def refuse(function, arguments):
        raise RuntimeError("operation not permitted when stream is capturing")

    device = replace(standin.DEVICE, record=refuse)
    monkeypatch.setitem(backend._by_type, standin.DeviceArray, device)
    calls = []
    repeated = Repeated([])
    x = backend.to_device(np.ones(3), "standin")
    with pytest.warns(RuntimeWarning, match=r"could not be recorded as a CUDA graph \(operation not permitted .*same "
                                            "numbers"):
        repeated(calls.append, x)
    repeated(calls.append, x)
    assert len(calls) == 2


def test_a_number_of_python_in_a_recorded_function_stays_what_it_was():
    """The stand-in shows what a CUDA graph would do: it is this bug that the tests above would find."""
    rates = iter((1, 1, 2))
    x = backend.to_device(np.ones(3), "standin")
    repeated = Repeated([])
    results = [backend.to_numpy(repeated(lambda x: x * next(rates, 9), x)).tolist() for _ in range(3)]
    assert results == [[1, 1, 1]] * 3


@pytest.mark.parametrize("function", [lambda x: x * float(x.sum()), lambda x: x[x > 0],
                                      lambda x: x + standin.xp.asarray(np.ones(3))])
def test_the_stand_in_refuses_to_record_a_wait_and_a_copy(function):
    x = backend.to_device(np.ones(3), "standin")
    with pytest.raises(AssertionError, match="recorded as a graph"):
        standin.Graph(function, [x])


class Cupy:
    """As much of cupy as a graph asks for; writes down what it was asked."""

    def __init__(self):
        self.said = []
        cupy = self

        class Block:
            def __init__(self, name):
                self.name = name

            def __enter__(self):
                cupy.said.append(f"in {self.name}")

            def __exit__(self, *_):
                cupy.said.append(f"out of {self.name}")

        class Stream(Block):
            def __init__(self, non_blocking=False):
                super().__init__("stream")
                assert non_blocking

            def synchronize(self):
                cupy.said.append("wait")

            def begin_capture(self):
                cupy.said.append("begin")

            def end_capture(self):
                cupy.said.append("end")
                return types.SimpleNamespace(launch=lambda: cupy.said.append("launch"))

        self.cuda = types.SimpleNamespace(
            MemoryPool=lambda: types.SimpleNamespace(malloc="pool", total_bytes=lambda: 7), Stream=Stream,
            using_allocator=Block, get_current_stream=lambda: types.SimpleNamespace(
                synchronize=lambda: self.said.append("wait for others")))


def test_a_graph_is_recorded_with_memory_of_its_own_after_a_first_call():
    cupy = Cupy()
    seen = []
    x = np.ones(3)

    def double(x):
        seen.append(x)
        cupy.said.append("compute")
        return x * 2

    graph = Graph(cupy, double, [x])
    assert graph_bytes() == 7
    assert cupy.said == ["wait for others", "in pool", "in stream", "compute", "wait", "begin", "compute", "end",
                         "out of stream", "out of pool"]
    assert seen[0] is seen[1] is not x
    assert graph(np.full(3, 7.0)) is graph(np.full(3, 8.0))
    assert seen[1].tolist() == [8, 8, 8]            # the graph reads the arguments there
    assert cupy.said[-2:] == ["launch", "launch"]


def test_the_capture_ends_even_if_the_function_raises():
    cupy, calls = Cupy(), []

    def fail(x):
        calls.append(x)
        if len(calls) == 2:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Graph(cupy, fail, [np.ones(3)])
    assert cupy.said[-3:] == ["end", "out of stream", "out of pool"]


def test_copies_are_refused_in_this_thread_and_this_block_alone():
    x = np.ones(3)
    with backend.no_copies():
        assert backend.to_device(x, "cpu") is x
        with pytest.raises(backend.CopyInGraphError, match=r"shape \(3,\) is copied from 'cpu' to 'standin'"):
            Tensor(x).to("standin")
    assert Tensor(x).to("standin").device == "standin"
