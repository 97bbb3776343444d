"""The gradients of a step as a graph: the numbers of the plain ones, and what cannot be recorded is not."""

import gc
import types
from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import backend, nn, optim
from minimixer.gpu.graph import CapturedStep, Graph, GraphError, graph_bytes
from minimixer.parallel import shards
from minimixer.parallel.step import ShardedModel
from minimixer.parallel.workers import Workers
from minimixer.tensor import Tensor
from tests.conftest import DEVICES
from tests.support import standin
from tests.support.emulator import needs_compiler

CONFIG = replace(nn.MIXERS["pico"], image_size=8, hidden_dim=6, num_blocks=2, tokens_mlp_dim=5, channels_mlp_dim=7,
                 num_classes=3)
VIT = nn.ViTConfig(image_size=8, hidden_dim=6, num_blocks=2, num_heads=2, mlp_dim=7, num_classes=3)
CONVNET = nn.ConvNetConfig(image_size=8, width=4, blocks_per_stage=1, groups=2, num_classes=3)
MODELS = {nn.MixerConfig: nn.MlpMixer, nn.ViTConfig: nn.VisionTransformer, nn.ConvNetConfig: nn.ConvNet}


@pytest.fixture(params=[pytest.param(d, marks=needs_compiler) if d == "standin" else d for d in DEVICES])
def device(request):
    """Every device; the stand-in with fused kernels, since CuPy's own products cannot be recorded."""
    if request.param == "standin":
        request.getfixturevalue("emulate")()
    return request.param


class Run:
    """A few steps of training."""

    def __init__(self, device, graph, config=CONFIG, dtype=np.float32):
        self.device = device
        self.model = MODELS[type(config)](config)
        for p in self.model.parameters():
            p.data = p.data.astype(dtype)
        self.model.to(device)
        half = backend.to_device(np.full(3, 0.5, np.float32), device)
        self.sharded = ShardedModel(self.model, Workers(1), half, half, 0.1,
                                    enlarged_from=self.model.config.image_size // 2, graph=graph)
        self.optimizer = optim.AdamW(self.model.parameters(), weight_decay=0.05)
        self.average = optim.EMA(self.model.parameters(), 0.9)
        self.rng = np.random.default_rng(0)
        self.losses, self.correct, self.graphs = [], [], []

    def batch(self, size=6, soft=False, side=None):
        side = side or self.model.config.image_size
        labels = self.rng.dirichlet(np.ones(3), size).astype("f") if soft else self.rng.integers(0, 3, size)
        images = self.rng.integers(0, 256, (size, side, side, 3), np.uint8)
        return [backend.to_device(a, self.device) for a in (images, labels)]

    def step(self, number, batch_size=None, **batch):
        loss, correct, gradients = self.sharded.gradients(*self.batch(**batch), number, batch_size)
        self.optimizer.lr = 0.01 / (1 + number)
        self.optimizer.step(gradients, optim.clip_factor(gradients, 0.5)[0])
        self.average.update(number + 1)
        self.losses.append(loss)
        self.correct.append(correct)
        self.graphs.append(self.sharded.captured and self.sharded.captured.graph)

    def outcome(self):
        return ([a.tobytes() for a in self.model.state_dict().values()],
                [float(loss) for loss in self.losses], [int(n) for n in self.correct])


def graphs_of(device, steps, **options):
    """The graphs that were used at every step, of a run that gives the bits of one without."""
    runs = [Run(device, graph, **options) for graph in (False, True)]
    for run in runs:
        for step in steps:
            step(run)
    plain, graph = (run.outcome() for run in runs)
    assert plain == graph
    return runs[1].graphs


def steps(count):
    return [lambda run, i=i: run.step(i) for i in range(count)]


def are_recorded(graphs, device, different=1):
    """Whether every step used a graph where there are any, and how many of them there were."""
    if device == "cpu":
        return set(graphs) == {None}
    return None not in graphs and len(set(graphs)) == different


@pytest.mark.slow
def test_steps_of_a_graph_give_the_bits_of_plain_ones(device):
    before = standin.Tape.launches
    assert are_recorded(graphs_of(device, steps(6)), device)
    assert standin.Tape.launches - before == (6 if device == "standin" else 0)


def test_a_loss_that_was_kept_is_not_overwritten(device):
    run = Run(device, True)
    for step in steps(4):
        step(run)
    assert len(set(map(float, run.losses))) == 4


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"dtype": np.float64}, {"config": VIT}, {"config": CONVNET}],
                         ids=["float64", "ViT", "ConvNet"])
def test_other_numbers_and_other_models_are_recorded_too(options, device):
    assert are_recorded(graphs_of(device, steps(3), **options), device)


def test_a_batch_of_several_shards_is_one_graph(device, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", dict.fromkeys(shards.SHARD_BYTES, 4 * CONFIG.widest_array))
    assert are_recorded(graphs_of(device, steps(3)), device)


@needs_compiler
def test_python_starts_no_kernel_of_a_graph(emulate):
    runner = emulate()
    run = Run("standin", True)
    run.step(0)
    runner.launched.clear()
    run.step(1)
    assert set(runner.launched) == {"sums_of_squares", "norm_and_factor", "adamw", "weight_average"}


def test_what_is_another_function_is_recorded_anew(device):
    def another_smoothing(run):
        run.sharded.label_smoothing = 0.3

    used = graphs_of(device, [
        *steps(2), lambda run: run.step(2, size=4), lambda run: run.step(3, size=1),
        lambda run: run.step(4, size=1, soft=True), lambda run: run.step(5, batch_size=2, size=1, soft=True),
        another_smoothing, lambda run: run.step(6, batch_size=2, size=1, soft=True)])
    assert are_recorded(used, device, different=6)
    assert used[0] is used[1]


def test_the_precision_is_a_part_of_what_was_recorded(device, monkeypatch):
    used = graphs_of(device, [*steps(1), lambda run: monkeypatch.setattr(backend, "_precision", "tf32"), *steps(1),
                              lambda run: monkeypatch.setattr(backend, "_precision", "float32")])
    assert are_recorded(used, device, different=2)


def test_ops_as_they_are_written_multiply_by_cupy_and_run_plainly(device):
    def reference(run):
        with mm.reference_kernels():
            run.step(1)

    used = graphs_of(device, [*steps(1), reference, *steps(1)])
    assert used[1] is None
    assert are_recorded([used[0], used[2]], device, different=2)


def test_weights_that_moved_are_read_where_they_are(device):
    def swap(run):
        for _, tensor in run.model.named_tensors():         # frozen ones too
            tensor.data = tensor.data.copy()
            tensor.data *= 0.5

    def freeze(run):
        run.model.norm.weight.requires_grad = False
        run.sharded = ShardedModel(run.model, run.sharded.workers, run.sharded.mean, run.sharded.std, 0.1,
                                   graph=run.sharded.captured is not None)
        run.optimizer = optim.AdamW(run.model.parameters())
        run.average = optim.EMA(run.model.parameters(), 0.9)

    def swap_the_frozen_one(run):
        run.model.norm.weight.data = run.model.norm.weight.data * 3

    used = graphs_of(device, [*steps(1), swap, *steps(1), freeze, *steps(1), swap_the_frozen_one, *steps(1)])
    assert are_recorded(used, device, different=4)


def test_a_test_between_steps_changes_nothing(device):
    def test(run):
        with run.average.in_place_of_parameters():
            run.losses.append(run.sharded.predict(run.batch()[0]).sum())

    assert are_recorded(graphs_of(device, [*steps(2), test, *steps(2)]), device)


@pytest.mark.parametrize("what", [{"dropout": 0.2}, {"stochastic_depth": 0.5}])
def test_a_model_that_draws_is_not_recorded(what, device):
    assert set(graphs_of(device, steps(3), config=replace(CONFIG, **what))) == {None}


def test_images_that_are_enlarged_are_not_recorded(device):
    assert set(graphs_of(device, [lambda run: run.step(0, side=4), lambda run: run.step(1, side=4)])) == {None}


def test_what_fails_to_be_recorded_runs_plainly_and_says_so_once(monkeypatch):
    def refuse(function, arguments):
        raise GraphError("operation not permitted when stream is capturing")

    device = replace(standin.DEVICE, record=refuse)
    monkeypatch.setitem(backend._by_type, standin.DeviceArray, device)
    calls = []
    repeated = CapturedStep([])
    x = backend.to_device(np.ones(3), "standin")
    with pytest.warns(RuntimeWarning, match=r"could not be recorded as a CUDA graph \(operation not permitted .*same "
                                            "numbers"):
        repeated(calls.append, x)
    repeated(calls.append, x)
    assert len(calls) == 2


def test_an_error_of_the_step_itself_is_told_as_it_is():
    repeated, calls = CapturedStep([]), []

    def fail(x):
        calls.append(x)
        raise ValueError("label 7, expected 0..2")

    x = backend.to_device(np.ones(3), "standin")
    for _ in range(2):
        with pytest.raises(ValueError, match="label 7"):
            repeated(fail, x)
    assert len(calls) == 2


def test_a_number_of_python_in_a_recorded_function_stays_what_it_was():
    """The stand-in shows what a CUDA graph would do: it is this bug that the tests above would find."""
    rates = iter((1, 1, 2))
    x = backend.to_device(np.ones(3), "standin")
    repeated = CapturedStep([])
    results = [backend.to_numpy(repeated(lambda x: x * next(rates, 9), x)).tolist() for _ in range(3)]
    assert results == [[1, 1, 1]] * 3


@pytest.mark.parametrize(("function", "message"), [
    (lambda x: x * float(x.sum()), "the host waits"), (lambda x: x[x > 0], "the host waits"),
    (lambda x: x + standin.xp.asarray(np.ones(3)), "comes from the host"), (lambda x: x @ x, "cuBLAS API")])
def test_the_stand_in_refuses_to_record_waits_copies_and_products(function, message):
    x = backend.to_device(np.ones(3), "standin")
    with pytest.raises(GraphError, match=message):
        Graph(standin.xp, function, [x])
    assert standin._tape is None


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

        self.held = 0

        def pool(name, allocate=None):
            def malloc(size):
                self.held += allocate(size)
            return types.SimpleNamespace(malloc=malloc, total_bytes=lambda: self.held,
                                         free_all_blocks=lambda: cupy.said.append(f"free {name}"))

        def using_allocator(malloc):
            self.malloc = malloc
            return Block("pool")

        self.get_default_memory_pool = lambda: pool("everybody's pool")
        self.cuda = types.SimpleNamespace(
            MemoryPool=lambda allocate: pool("pool", allocate), Stream=Stream, using_allocator=using_allocator,
            Memory=lambda size: size, MemoryPointer=lambda memory, offset: memory,
            get_current_stream=lambda: types.SimpleNamespace(synchronize=lambda: self.said.append("wait for others")))


BEGINNING = ["wait for others", "free everybody's pool", "in pool", "in stream", "compute", "wait"]
END = ["out of stream", "out of pool"]


def test_a_graph_is_recorded_with_memory_of_its_own_after_a_first_call_and_gives_it_back():
    cupy = Cupy()
    seen = []
    x = np.ones(3)

    def double(x):
        if not seen:
            cupy.malloc(7)
        seen.append(x)
        cupy.said.append("compute")
        return x * 2

    before = graph_bytes()
    graph = Graph(cupy, double, [x])
    assert graph_bytes() == before + 7
    assert cupy.said == [*BEGINNING, "begin", "compute", "end", *END]
    assert seen[0] is seen[1] is not x
    assert graph(np.full(3, 7.0)) is graph(np.full(3, 8.0))
    assert seen[1].tolist() == [8, 8, 8]            # the graph reads the arguments there
    assert cupy.said[-2:] == ["launch", "launch"]
    del graph
    gc.collect()
    assert cupy.said[-1] == "free pool"
    assert graph_bytes() == before


def test_a_graph_whose_pool_gave_memory_back_is_none():
    cupy = Cupy()

    def fill(x):
        cupy.malloc(7)
        cupy.held -= 3

    with pytest.raises(GraphError, match="memory was full"):
        Graph(cupy, fill, [np.ones(3)])


@pytest.mark.parametrize("at", [1, 2])
def test_what_raises_leaves_no_capture_open_and_no_memory_taken(at):
    cupy, calls = Cupy(), []

    def fail(x):
        cupy.said.append("compute")
        calls.append(x)
        if len(calls) == at:
            raise ValueError("no")

    def attempt():
        with pytest.raises(ValueError if at == 1 else GraphError, match="no"):
            Graph(cupy, fail, [np.ones(3)])

    attempt()
    gc.collect()
    assert cupy.said == [*BEGINNING, *(["begin", "compute", "end"] if at == 2 else []), *END, "free pool"]


def test_copies_are_refused_in_this_thread_and_these_blocks_alone():
    x = np.ones(3)
    with backend.no_copies():
        with backend.no_copies():
            assert backend.to_device(x, "cpu") is x
        with pytest.raises(backend.CopyInGraphError, match=r"shape \(3,\) is copied from 'cpu' to 'standin'"):
            Tensor(x).to("standin")
    assert Tensor(x).to("standin").device == "standin"


def test_what_a_graph_asks_of_cupy_exists():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    for name in ("MemoryPool", "Memory", "MemoryPointer", "Stream", "using_allocator", "get_current_stream"):
        assert callable(getattr(cupy.cuda, name))
    for name in ("begin_capture", "end_capture", "synchronize"):
        assert callable(getattr(cupy.cuda.Stream, name))
    assert callable(cupy.cuda.Graph.launch)
    assert callable(cupy.cuda.device.get_cublas_handle)
    for name in ("malloc", "total_bytes", "free_all_blocks"):
        assert callable(getattr(cupy.cuda.MemoryPool, name))
