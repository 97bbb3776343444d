"""The CUDA kernels on the CPU: their arithmetic by a C++ compiler, their syntax by NVIDIA's own, where those are."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import backend, nn, optim
from minimixer.gradcheck import as_it_lies
from minimixer.kernels import cuda
from minimixer.kernels.registry import FAST
from minimixer.ops.gelu import Gelu, GeluErf
from minimixer.ops.layernorm import LayerNorm
from minimixer.ops.linear import Linear, MatMul
from minimixer.ops.softmax import CrossEntropy
from minimixer.tensor import Tensor, apply
from tests import standin
from tests.kernels import count, emulator
from tests.kernels.emulator import PAIRS, needs_compiler
from tests.ops.cases import CASES, Case

REPLACED = [op for op in PAIRS if isinstance(op, type)]
LABELS, SOFT = np.arange(37) % 70, np.random.default_rng(0).dirichlet(np.ones(70), 37)
LARGE = [                                       # several blocks, the last one not full; warps that share a row
    Case(Gelu, ((3, 300, 7),)), Case(GeluErf, ((3, 300, 7),)), Case(Linear, ((8, 40, 30), (30, 20), (20,))),
    Case(Linear, ((2100, 3), (3, 20), (20,))), Case(MatMul, ((2, 3, 4, 5), (2, 3, 5, 6))),
    Case(MatMul, ((0, 3, 4, 5), (0, 3, 5, 6))),
    *(Case(LayerNorm, ((*rows, columns), (columns,), (columns,)), {"eps": 1e-6})
      for rows, columns in (((5, 13), 64), ((3, 2, 3), 133), ((7,), 768), ((2,), 5120), ((), 1), ((0,), 6))),
    *(Case(CrossEntropy, ((37, 70),), {"label_smoothing": 0.1}, constants=(labels,)) for labels in (LABELS, SOFT)),
    Case(CrossEntropy, ((3, 1000),), {"label_smoothing": 0.0}, constants=(np.array([0, 999, 500]),))]
EVERY = [case for case in [*CASES, *LARGE] if case.op in REPLACED]


def to_standin(array):
    return backend.to_device(array, "standin")


def both_directions(pair, xp, case, arrays, gy):
    y, saved = pair.forward(xp, *arrays, **case.options)
    gradients = pair.backward(xp, gy, *saved)
    return [y, *(g for g in (gradients if isinstance(gradients, tuple) else (gradients,)) if g is not None)]


REALS = {"float": (np.float32, 2e-5), "double": (np.float64, 1e-12)}


def inputs_and_results(case, layout, real, rng):
    """Arrays, a gradient to go back with, and what the op makes of them in float64."""
    dtype = REALS[real][0]
    constants = [c.astype(dtype) if c.dtype.kind == "f" else c for c in case.constants]
    arrays = [*case.inputs(rng, layout, dtype), *constants]
    shape = case.op.forward(np, *arrays, **case.options)[0].shape
    gy = rng.standard_normal(shape).astype(dtype)
    if layout == "transposed" and gy.ndim > 1:
        gy = np.broadcast_to(gy[..., :1, :], shape)
    exact = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in (*arrays, gy)]
    return arrays, gy, both_directions(case.op, np, case, exact[:-1], exact[-1])


def assert_close(found, exact, real):
    dtype, tolerance = REALS[real]
    for ours, reference in zip(found, exact, strict=True):
        assert ours.shape == reference.shape
        assert ours.dtype == dtype
        assert np.abs(ours - reference).max(initial=0) <= tolerance * max(1, np.abs(reference).max(initial=0))


@needs_compiler
@pytest.mark.parametrize("case", EVERY, ids=str)
@pytest.mark.parametrize(("layout", "real"), [("contiguous", "float"), ("transposed", "double")])
def test_kernels_agree_with_their_ops_in_either_order_of_threads(case, layout, real, rng, emulate):
    arrays, gy, exact = inputs_and_results(case, layout, real, rng)
    before = [a.copy() for a in (*arrays, gy)]
    results = []
    for backwards in (False, True):
        emulate(backwards)
        given = [standin.DeviceArray(a) for a in (*arrays, gy)]
        found = [backend.to_numpy(a) for a in both_directions(PAIRS[case.op], standin.xp, case, given[:-1], given[-1])]
        assert_close(found, exact, real)
        results.append([a.tobytes() for a in found])
        assert all(np.array_equal(a, b) for a, b in zip((*arrays, gy), before, strict=True))
    assert results[0] == results[1]             # else threads depend on each other without a barrier


@pytest.mark.gpu
@pytest.mark.skipif(backend.gpu_problem() is not None, reason=str(backend.gpu_problem()))
@pytest.mark.parametrize("case", EVERY, ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
@pytest.mark.parametrize("real", ["float", "double"])
def test_kernels_agree_with_their_ops_on_a_gpu_and_repeat_their_bits(case, layout, real, rng):
    arrays, gy, exact = inputs_and_results(case, layout, real, rng)
    given = [as_it_lies(a, "gpu") for a in (*arrays, gy)]
    xp = backend.get_device("gpu").xp
    runs = [[backend.to_numpy(a) for a in both_directions(PAIRS[case.op], xp, case, given[:-1], given[-1])]
            for _ in range(2)]
    assert_close(runs[0], exact, real)
    assert [a.tobytes() for a in runs[0]] == [a.tobytes() for a in runs[1]]


@needs_compiler
@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize(("clipped", "backwards"), [(None, False), (0.5, False), (0.5, True), (1e6, True)])
def test_all_parameters_at_once_take_the_steps_of_the_reference(real, clipped, backwards, rng, emulate):
    dtype, tolerance = {"float": (np.float32, 1e-5), "double": (np.float64, 1e-12)}[real]
    shapes = [(3, 5), (cuda.CHUNK + 17,), (2, cuda.CHUNK), (1,)]
    start = [rng.standard_normal(shape) for shape in shapes]
    runner = emulate(backwards)
    results, norms = {}, {}
    for device in ("cpu", "standin"):
        gradients = np.random.default_rng(3)
        params = [Tensor(backend.to_device(a.astype(dtype if device == "standin" else np.float64), device),
                         requires_grad=True) for a in start]
        optimizer = optim.AdamW(params, 0.01, weight_decay=0.1, decay_vectors=False)
        for _ in range(3):
            given = [backend.to_device(gradients.standard_normal(s).astype(params[0].dtype), device) for s in shapes]
            factor, norms[device] = optim.clip_factor(given, clipped) if clipped else (None, None)
            optimizer.step(given, factor)
        results[device] = [p.numpy() for p in params]
    for ours, reference in zip(results["standin"], results["cpu"], strict=True):
        assert ours.dtype == dtype
        assert np.abs(ours - reference).max() <= tolerance * 10
    if clipped:
        assert float(norms["standin"]) == pytest.approx(float(norms["cpu"]), rel=tolerance)
    assert runner.launched == 3 * (["sums_of_squares", "norm_and_factor", "adamw"] if clipped else ["adamw"])


@needs_compiler
@pytest.mark.parametrize("lay_out", [np.ascontiguousarray, np.asfortranarray])
def test_all_weights_are_averaged_at_once_as_one_by_one(lay_out, rng, emulate):
    runner = emulate()
    results = {}
    start = [rng.standard_normal(shape).astype(np.float32) for shape in ((3, 5), (cuda.CHUNK + 17,), (1,))]
    for device in ("cpu", "standin"):
        params = [Tensor(as_it_lies(lay_out(a), device), requires_grad=True) for a in start]
        average = optim.WeightAverage(params, 0.9)
        for p in params:
            p.data = p.data * 3
        average.update(100)
        results[device] = [backend.to_numpy(mean) for mean in average.means]
    for ours, reference in zip(results["standin"], results["cpu"], strict=True):
        assert np.allclose(ours, reference, rtol=1e-6)
    assert runner.launched == ["weight_average"]


@needs_compiler
def test_parameters_in_other_layouts_take_the_same_steps(rng, emulate):
    runner = emulate()
    start, gradient = rng.standard_normal((6, 5)), rng.standard_normal((6, 5))
    results = []
    for lay_out in (np.ascontiguousarray, np.asfortranarray):
        for lay_out_gradient in (np.ascontiguousarray, np.asfortranarray):
            params = [Tensor(to_standin(lay_out(start.copy())), requires_grad=True)]
            optim.AdamW(params).step([to_standin(lay_out_gradient(gradient))])
            results.append(params[0].numpy())
    assert all(np.allclose(results[0], other, rtol=1e-12) for other in results[1:])
    assert len(runner.launched) == 2            # the others are written to by the reference


@needs_compiler
@pytest.mark.parametrize("form", ["tanh", "erf"])
def test_a_model_trains_on_the_kernels_as_on_the_cpu_and_waits_for_nothing(form, rng, emulate):
    runner = emulate()
    config = nn.MixerConfig(image_size=8, patch_size=4, hidden_dim=6, num_blocks=2, tokens_mlp_dim=5,
                            channels_mlp_dim=7, num_classes=3, gelu=form)
    images, labels = rng.standard_normal((2, 8, 8, 3)), np.array([2, 0])
    weights, losses = [], []
    for device in ("cpu", "standin"):
        model = nn.MlpMixer(config)
        for p in model.parameters():
            p.data = p.data.astype(np.float64)
        optimizer = optim.AdamW(model.to(device).parameters(), 0.01)
        average = optim.WeightAverage(model.parameters(), 0.9)
        x, y = Tensor(backend.to_device(images, device)), backend.to_device(labels, device)
        with standin.watch() as waits:
            for step in (1, 2, 3):
                loss = mm.functional.cross_entropy(model(x), y, 0.1)
                gradients = mm.grad(loss, model.parameters())
                optimizer.step(gradients, optim.clip_factor(gradients, 0.5)[0])
                average.update(step)
        assert waits == []
        losses.append(loss.item())
        weights.append(model.state_dict())
    assert losses[0] == pytest.approx(losses[1], rel=1e-10)
    assert all(np.allclose(weights[0][name], weights[1][name], rtol=1e-8, atol=1e-10) for name in weights[0])
    assert set(runner.launched) == {name for name in emulator.KERNELS if not name.startswith("gelu")
                                    or ("erf" in name) == (form == "erf")}


@needs_compiler
@pytest.mark.parametrize(("right", "wrong", "message"), [
    ("= value;\n    __syncthreads();\n    value = 0;", "= value;\n    value = 0;", "the results differ"),
    ("    if (!inside) return;\n    UNROLL", "    UNROLL", "wrote behind an array"),
    ("    REAL sum = 0;\n", "    if (!inside) return;\n    REAL sum = 0;\n", "barrier is not reached by all")])
def test_a_mistake_in_a_kernel_is_found(right, wrong, message, rng, emulate):
    source = emulator.SOURCE.read_text()
    place = source.index("REAL row_sum" if "value" in right else "// ---- LayerNorm")
    assert right in source[place:]
    emulate(changed=source[:place] + source[place:].replace(right, wrong, 1))
    x, w = rng.standard_normal((13, 300)).astype("f"), rng.standard_normal(300).astype("f")    # two rows a block
    exact, _ = LayerNorm.forward(np, x, w, w, eps=1e-6)

    def run():
        found, _ = cuda.LayerNormKernel.forward(standin.xp, *map(standin.DeviceArray, (x, w, w)), eps=1e-6)
        assert np.allclose(backend.to_numpy(found), exact, atol=1e-5), "the results differ"

    with pytest.raises(AssertionError, match=message):
        run()


@needs_compiler
def test_an_argument_of_another_type_is_found(emulate):
    emulate()
    x = to_standin(np.ones(3, np.float32))
    with pytest.raises(AssertionError, match=r"expected arguments \*f\*fq, got \*f\*fi"):
        cuda.launch("gelu_forward", x.dtype, 1, (32, 1), x, x.copy(), 3)


@needs_compiler
def test_numbers_of_numpy_reach_a_kernel_as_its_own(emulate):
    emulate()
    results = []
    for number in (float, np.float64, np.float32):
        p = Tensor(to_standin(np.ones(3, np.float32)), requires_grad=True)
        optimizer = optim.AdamW([p], lr=number(0.125), betas=(number(0.875), number(0.9375)), eps=number(2**-20))
        optimizer.step([to_standin(np.full(3, 2, np.float32))])
        results.append(p.numpy().tolist())
    assert results[0] == results[1] == results[2] != [1, 1, 1]


def test_kernels_refuse_mixed_and_unknown_dtypes(monkeypatch):
    monkeypatch.setitem(FAST, (Gelu, "standin"), cuda.GeluKernel)
    with pytest.raises(TypeError, match=r"all float32 or all float64, got \['float16'\].*reference_kernels"):
        apply(Gelu, Tensor(to_standin(np.ones(3, np.float16))))
    with pytest.raises(TypeError, match=r"got \['float32', 'float64'\]"):
        cuda.plain(standin.xp, *(to_standin(np.ones(3, t)) for t in ("f", "d")))


@pytest.mark.parametrize("reference", PAIRS, ids=lambda op: op.__name__)
def test_pairs_have_the_signatures_of_what_they_replace(reference):
    pair = PAIRS[reference]
    if not isinstance(reference, type):
        assert inspect.signature(pair) == inspect.signature(reference)
        return
    assert inspect.signature(pair.forward).parameters.keys() == inspect.signature(reference.forward).parameters.keys()
    assert list(inspect.signature(pair.backward).parameters)[:2] == ["xp", "gy"]


@needs_compiler
def test_fused_a_step_is_a_third_of_the_kernels_and_of_the_bytes(emulate):
    emulate()
    config = replace(nn.MIXERS["pico"], num_blocks=2)
    with mm.reference_kernels():
        written, _ = count.step_of(config, 8)
    fused, update = count.step_of(config, 8)
    assert len(update) == 3
    assert len(fused) < 0.4 * len(written)
    assert sum(map(count.moved, fused)) < 0.35 * sum(map(count.moved, written))
    x, y = (to_standin(np.ones((2, 3), np.float32)) for _ in range(2))
    calls, _ = count.of(lambda: (x + y[:1]).swapaxes(0, 1))
    assert [(call.name, count.moved(call)) for call in calls] == [("__add__", 4 * (6 + 3 + 6))]
