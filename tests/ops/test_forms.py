"""Every form of every op computes what the reference computes, and keeps the promises that ops make."""

import inspect
import subprocess
import sys
import threading

import numpy as np
import pytest

import minimixer as mm
from minimixer import optim
from minimixer.backend import to_numpy
from minimixer.ops import registry
from minimixer.ops.gelu import GELU
from minimixer.ops.layernorm import LayerNorm
from minimixer.ops.linear import Linear
from minimixer.ops.registry import choose, load, offers, use
from minimixer.ops.relu import ReLU
from minimixer.optim.adamw import adamw
from minimixer.tensor import Tensor
from tests.support import standin
from tests.support.cases import CASES, LARGE, assert_close, both_directions, inputs_and_results
from tests.support.emulator import needs_compiler

needs_numba = pytest.mark.skipif(registry.numba_problem() is not None, reason=str(registry.numba_problem()))
MARKS = {"compiled": [needs_numba], "cuda": [needs_compiler], "inplace": []}
FORMS = [(op, form) for op, forms in offers().items() for form in forms
         if op.__module__.split(".")[1] in ("ops", "optim")]
OPS = [(op, form) for op, form in FORMS if isinstance(op, type)]
TOLERANCES = {np.float64: 1e-12, np.float32: 2e-5}
F32 = np.dtype(np.float32)


def named(of):
    return [pytest.param(*pair, marks=MARKS[pair[1]], id=f"{pair[0].__name__}-{pair[1]}") for pair in of]


def every_case():
    """A form, a case of its op, and how the arrays lie; compiled loops are for float32 alone."""
    for op, form in OPS:
        for case in (case for case in [*CASES, *LARGE] if case.op is op):
            for layout in ("contiguous", "transposed"):
                for gy_layout in ("contiguous", "transposed", "broadcast"):
                    for dtype in TOLERANCES:
                        if ((form == "compiled" and dtype != np.float32)
                                or (form == "cuda" and gy_layout == "transposed")):
                            continue
                        yield pytest.param(form, case, layout, gy_layout, dtype, marks=MARKS[form],
                                           id=f"{case}-{form}-{layout}-{gy_layout}-{dtype.__name__}")


@pytest.mark.parametrize(("form", "case", "layout", "gy_layout", "dtype"), list(every_case()))
def test_forms_agree_with_the_reference_and_write_to_nothing_they_were_given(form, case, layout, gy_layout, dtype, rng,
                                                                              request):
    arrays, gy, exact = inputs_and_results(case, layout, gy_layout, dtype, rng)
    before = [a.copy() for a in (*arrays, gy)]
    for array in (*arrays, gy):
        array.flags.writeable = False
    xp, given = np, [*arrays, gy]
    if form == "cuda":
        request.getfixturevalue("emulate")()
        xp, given = standin.xp, [standin.DeviceArray(a) for a in before]
    found = both_directions(load(case.op, form), xp, case, given[:-1], given[-1])
    assert_close([to_numpy(a) for a in found], exact, dtype, TOLERANCES[dtype])
    assert all(np.array_equal(to_numpy(a), b) for a, b in zip(given, before, strict=True))


@pytest.mark.parametrize(("op", "form"), named(OPS))
def test_forms_have_the_name_and_the_signatures_of_the_reference(op, form):
    other = load(op, form)
    assert other.__name__ == op.__name__
    assert inspect.signature(other.forward).parameters.keys() == inspect.signature(op.forward).parameters.keys()
    assert list(inspect.signature(other.backward).parameters)[:2] == ["xp", "gy"]


@pytest.mark.parametrize(("rule", "form"), named([pair for pair in FORMS if not isinstance(pair[0], type)]))
def test_forms_of_update_rules_have_the_name_and_the_signature_of_the_reference(rule, form):
    assert load(rule, form).__name__ == rule.__name__
    assert inspect.signature(load(rule, form)) == inspect.signature(rule)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("gradient_layout", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("factor", [None, 0.25])
@pytest.mark.parametrize(("form", "dtype", "tolerance"), [
    pytest.param("inplace", np.float64, 1e-12), pytest.param("inplace", np.float32, 1e-5),
    pytest.param("compiled", np.float32, 1e-5, marks=needs_numba)])
def test_adamw_takes_the_steps_of_its_reference(layout, gradient_layout, weight_decay, factor, form, dtype, tolerance,
                                                 rng):
    shape = 300, 400
    theirs = [layout(a) for a in (rng.standard_normal(shape), np.zeros(shape), np.zeros(shape))]
    ours = [a.astype(dtype, order="K") for a in theirs]
    options = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decays": [weight_decay]}
    for step in (1, 2, 3):
        g = gradient_layout(rng.standard_normal(shape))
        small = g.astype(dtype, order="K")
        small.flags.writeable = False
        for rule, (p, m, v), gradient in ((load(adamw, form), ours, small), (adamw, theirs, g)):
            scale = None if factor is None else np.asarray(factor, gradient.dtype)
            rule(np, [p], [gradient], [m], [v], scale, **options, step=step)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == dtype
        assert np.allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("form", [pytest.param(form, marks=MARKS[form]) for form in offers()[adamw]])
def test_adamw_of_no_parameters_does_nothing(form):
    xp = standin.xp if form == "cuda" else np
    assert load(adamw, form)(xp, [], [], [], [], None, weight_decays=[], lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8,
                             step=1) is None


@needs_numba
def test_parameters_of_two_dtypes_are_not_given_to_loops_of_one(rng):
    params = [Tensor(rng.standard_normal(3).astype(t), requires_grad=True) for t in ("f", "d")]
    start = [p.data.astype(np.float64) for p in params]
    with use("compiled"):
        optim.AdamW(params, 0.1).step([np.ones(3, t) for t in ("f", "d")])
    expected = [Tensor(a, requires_grad=True) for a in start]
    optim.AdamW(expected, 0.1).step([np.ones(3)] * 2)
    assert np.allclose(params[1].data, expected[1].data, rtol=1e-14)


def test_which_form_runs_follows_from_device_dtype_and_wish():
    doubles = np.dtype(np.float64)
    assert choose(GELU, np, F32) is load(GELU, "inplace")
    with use("compiled") as wish:
        assert choose(GELU, np, F32) is load(GELU, wish)
        assert choose(GELU, np, doubles) is load(GELU, "inplace")
        with mm.reference_kernels():
            assert choose(GELU, np, F32) is GELU
            with use("compiled") as inside:
                assert inside == "reference"
                assert all(choose(op, np, F32) is op for op in offers())
            assert choose(GELU, np, F32) is GELU
        assert choose(GELU, np, F32) is load(GELU, wish)
    assert choose(GELU, np, F32) is load(GELU, "inplace")
    assert choose(ReLU, np, F32) is ReLU
    with pytest.raises(ValueError, match="no form is called 'fast': expected 'compiled', 'inplace', 'reference'"), \
            use("fast"):
        pass


def test_a_wish_is_of_its_thread_alone():
    seen = []
    with mm.reference_kernels():
        thread = threading.Thread(target=lambda: seen.append(choose(GELU, np, F32)))
        thread.start()
        thread.join()
        assert choose(GELU, np, F32) is GELU
    assert seen == [load(GELU, "inplace")]


def test_without_a_usable_numba_the_loops_are_those_of_numpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)                 # importing it is an ImportError
    registry.numba_problem.cache_clear()
    try:
        with use("compiled") as wish:
            assert wish == "inplace"
            assert choose(GELU, np, F32) is load(GELU, "inplace")
        assert "Numba cannot be imported" in registry.numba_problem()
    finally:
        registry.numba_problem.cache_clear()


def test_nodes_and_messages_name_the_op_whatever_form_runs():
    code = """
import numpy as np, minimixer as mm
from minimixer.ops.registry import use
for wish in ("compiled", "inplace", "reference"):
    with use(wish):
        x = mm.Tensor(np.ones((2, 3), np.float32), requires_grad=True)
        y = mm.functional.layer_norm(mm.functional.gelu(x), *(mm.Tensor(np.ones(3, np.float32)) for _ in range(2)))
        print(y.node.op.__name__, [edge.op.__name__ for edge in y.node.edges if edge])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(out.splitlines()) == {"LayerNorm ['GELU']"}


@np.errstate(invalid="ignore", over="ignore")
@pytest.mark.parametrize("form", ["inplace", pytest.param("compiled", marks=needs_numba)])
def test_what_is_not_finite_stays_so(form):
    x = np.zeros((3, 4), np.float32)
    x[1, 2], x[2] = np.nan, np.inf
    y = load(GELU, form).forward(np, x)[0]
    assert np.array_equal(np.isnan(y), np.isnan(x))
    assert np.isposinf(y[2]).all()
    assert np.abs(load(GELU, form).forward(np, np.full(3, -1e30, np.float32))[0]).max() < 1e-6
    one = np.ones(4, np.float32)
    y = load(LayerNorm, form).forward(np, x, one, one, 1e-6)[0]
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[1:]).all()


def test_linear_on_a_swapped_view_copies_nothing_and_returns_a_swapped_view(rng):
    memory = rng.standard_normal((3, 8, 5))                     # (B, S, C)
    view = memory.swapaxes(1, 2)                                # (B, C, S)
    y, (saved, *_) = load(Linear, "inplace").forward(np, view, rng.standard_normal((8, 6)), np.zeros(6))
    assert np.shares_memory(saved, memory)
    assert y.shape == (3, 5, 6)
    assert y.swapaxes(1, 2).flags.c_contiguous


@pytest.mark.parametrize("form", ["inplace", pytest.param("compiled", marks=needs_numba)])     # the reference needs x^2
def test_far_out_the_gradient_of_gelu_is_zero_or_one(form):
    x = np.array([-3e38, -1e20, -1e14, 1e14, 1e20, 3e38], np.float32)
    op = load(GELU, form)
    with np.errstate(over="ignore"):
        _, saved = op.forward(np, x)
    assert np.allclose(op.backward(np, np.ones_like(x), *saved), [0, 0, 0, 1, 1, 1], atol=1e-30)


@pytest.mark.parametrize("form", ["inplace", pytest.param("compiled", marks=needs_numba)])
def test_rows_of_one_number_are_normalized_to_zero_as_exactly_as_by_the_reference(form):
    for columns in (1, 3, 7, 70, 513, 768):
        for value in (0.1, 3.3, 1e4 + 0.1, -7.7e-3, 0):
            arguments = np.full((3, columns), value, F32), np.ones(columns, F32), np.zeros(columns, F32), 1e-6
            ours, theirs = (load(LayerNorm, f).forward(np, *arguments)[0] for f in (form, "reference"))
            assert np.abs(ours).max() <= max(1e-6, np.abs(theirs).max())
