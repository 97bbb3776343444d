"""The CUDA kernels on the CPU, built by a C++ compiler: what test_forms.py does not ask of every form."""

from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import backend, nn, optim
from minimixer.gradcheck import as_it_lies
from minimixer.ops import cuda
from minimixer.ops.gelu import cuda as gelu
from minimixer.ops.layernorm import LayerNorm
from minimixer.ops.layernorm import cuda as layernorm
from minimixer.optim.chunks import CHUNK
from minimixer.tensor import Tensor
from tests.support import count, emulator, standin
from tests.support.cases import CASES, LARGE, MANY_ROWS, assert_close, both_directions, inputs_and_results
from tests.support.emulator import FORMS, needs_compiler

EVERY = [case for case in [*CASES, *LARGE, MANY_ROWS] if case.op in FORMS]
REALS = {"float": (np.float32, 2e-5), "double": (np.float64, 1e-12)}


def to_standin(array):
    return backend.to_device(array, "standin")


@needs_compiler
@pytest.mark.parametrize("case", EVERY, ids=str)
@pytest.mark.parametrize(("layout", "gy_layout", "real"), [("contiguous", "contiguous", "float"),
                                                           ("transposed", "broadcast", "double")])
def test_kernels_give_the_same_bits_in_either_order_of_threads(case, layout, gy_layout, real, rng, emulate):
    arrays, gy, exact = inputs_and_results(case, layout, gy_layout, REALS[real][0], rng)
    results = []
    for backwards in (False, True):
        emulate(backwards)
        given = [standin.DeviceArray(a) for a in (*arrays, gy)]
        found = [backend.to_numpy(a) for a in both_directions(FORMS[case.op], standin.xp, case, given[:-1], given[-1])]
        assert_close(found, exact, *REALS[real])
        results.append([a.tobytes() for a in found])
    assert results[0] == results[1]             # else threads depend on each other without a barrier


@pytest.mark.gpu
@pytest.mark.skipif(backend.gpu_problem() is not None, reason=str(backend.gpu_problem()))
@pytest.mark.parametrize("case", EVERY, ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
@pytest.mark.parametrize("real", ["float", "double"])
def test_kernels_agree_with_their_ops_on_a_gpu_and_repeat_their_bits(case, layout, real, rng):
    gy_layout = "broadcast" if layout == "transposed" else layout
    arrays, gy, exact = inputs_and_results(case, layout, gy_layout, REALS[real][0], rng)
    given = [as_it_lies(a, "gpu") for a in (*arrays, gy)]
    xp = backend.get_device("gpu").xp
    runs = [[backend.to_numpy(a) for a in both_directions(FORMS[case.op], xp, case, given[:-1], given[-1])]
            for _ in range(2)]
    assert_close(runs[0], exact, *REALS[real])
    assert [a.tobytes() for a in runs[0]] == [a.tobytes() for a in runs[1]]


@needs_compiler
@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize(("clipped", "backwards"), [(None, False), (0.5, False), (0.5, True), (1e6, True)])
def test_all_parameters_at_once_take_the_steps_of_the_reference(real, clipped, backwards, rng, emulate):
    dtype, tolerance = {"float": (np.float32, 1e-5), "double": (np.float64, 1e-12)}[real]
    shapes = [(3, 5), (CHUNK + 17,), (2, CHUNK), (1,)]
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
    start = [rng.standard_normal(shape).astype(np.float32) for shape in ((3, 5), (CHUNK + 17,), (1,))]
    for device in ("cpu", "standin"):
        params = [Tensor(as_it_lies(lay_out(a), device), requires_grad=True) for a in start]
        average = optim.EMA(params, 0.9)
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
        average = optim.EMA(model.parameters(), 0.9)
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
    source = emulator.code(layernorm.SOURCE)
    place = source.index("REAL row_sum" if "value" in right else "// ---- LayerNorm")
    assert right in source[place:]
    emulate(changed=source[:place] + source[place:].replace(right, wrong, 1))
    x, w = rng.standard_normal((13, 300)).astype("f"), rng.standard_normal(300).astype("f")    # two rows a block
    exact, _ = LayerNorm.forward(np, x, w, w, eps=1e-6)

    def run():
        found, _ = layernorm.LayerNorm.forward(standin.xp, *map(standin.DeviceArray, (x, w, w)), eps=1e-6)
        assert np.allclose(backend.to_numpy(found), exact, atol=1e-5), "the results differ"

    with pytest.raises(AssertionError, match=message):
        run()


@needs_compiler
def test_an_argument_of_another_type_is_found(emulate):
    emulate()
    x = to_standin(np.ones(3, np.float32))
    with pytest.raises(AssertionError, match=r"expected arguments \*f\*fq, got \*f\*fi"):
        cuda.launch(gelu.SOURCE, "gelu_forward", x.dtype, 1, (32, 1), x, x.copy(), 3)


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


def test_kernels_refuse_mixed_and_unknown_dtypes():
    with pytest.raises(TypeError, match=r"all float32 or all float64, got \['float16'\].*reference_kernels"):
        gelu.GELU.forward(standin.xp, to_standin(np.ones(3, np.float16)))
    with pytest.raises(TypeError, match=r"got \['float32', 'float64'\]"):
        cuda.plain(standin.xp, *(to_standin(np.ones(3, t)) for t in ("f", "d")))


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
