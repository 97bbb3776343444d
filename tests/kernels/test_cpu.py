"""Every fast pair computes what the op it replaces computes, and keeps the promises that ops make."""

import inspect
import sys

import numpy as np
import pytest

import minimixer as mm
from minimixer.kernels.cpu import gelu
from minimixer.kernels.registry import FAST, choose, choose_loop, compiled_loops
from minimixer.ops.gelu import Gelu
from minimixer.ops.layernorm import LayerNorm
from minimixer.ops.linear import Linear
from minimixer.optim import adamw_update
from tests.ops.cases import CASES, Case

REPLACED = {reference for reference, module in FAST if module == "numpy" and isinstance(reference, type)}
LARGE = [Case(Gelu, ((3, 300, 100),)), Case(LayerNorm, ((5, 400, 70), (70,), (70,)), {"eps": 1e-6}),
         Case(Linear, ((8, 40, 30), (30, 20), (20,)))]          # several blocks, the last one not full
EVERY = [case for case in [*CASES, *LARGE] if case.op in REPLACED]


def both_directions(pair, case, arrays, gy):
    y, saved = pair.forward(np, *arrays, **case.options)
    gradients = pair.backward(np, gy, *saved)
    return y, *(gradients if isinstance(gradients, tuple) else (gradients,))


@pytest.fixture(params=["numpy", "compiled"])
def loops(request):
    """Every test that takes this runs on NumPy's loops and on the compiled ones."""
    if request.param == "compiled":
        pytest.importorskip("numba", reason="Numba is not installed: pip install 'minimixer[compiled]'")
    with compiled_loops(request.param == "compiled") as compiled:
        assert compiled == (request.param == "compiled")
        yield request.param


@pytest.mark.parametrize("case", EVERY, ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
@pytest.mark.parametrize("gy_layout", ["contiguous", "transposed", "broadcast"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_fast_pairs_agree_with_their_ops_and_write_to_nothing_they_were_given(
        case, layout, gy_layout, dtype, tolerance, loops, rng):
    arrays = case.inputs(rng, layout, dtype)
    shape = case.op.forward(np, *arrays, **case.options)[0].shape
    gy = rng.standard_normal(shape).astype(dtype)
    if gy_layout == "transposed" and gy.ndim > 1:
        gy = np.ascontiguousarray(gy.swapaxes(-1, -2)).swapaxes(-1, -2)
    elif gy_layout == "broadcast" and gy.ndim > 1:
        gy = np.broadcast_to(gy[..., :1, :], shape)
    for array in (*arrays, gy):
        array.flags.writeable = False
    assert choose(case.op, np) is not case.op
    found = both_directions(choose(case.op, np), case, arrays, gy)
    exact = both_directions(case.op, case, [a.astype(np.float64) for a in arrays], gy.astype(np.float64))
    for ours, reference in zip(found, exact, strict=True):
        assert ours.shape == reference.shape
        assert ours.dtype == dtype
        assert np.abs(ours - reference).max() <= tolerance * max(1, np.abs(reference).max())


@pytest.mark.parametrize("reference", REPLACED, ids=lambda op: op.__name__)
def test_fast_pairs_have_the_signatures_of_their_ops(reference):
    fast = choose(reference, np)
    assert inspect.signature(fast.forward).parameters.keys() == inspect.signature(reference.forward).parameters.keys()
    assert list(inspect.signature(fast.backward).parameters)[:2] == ["xp", "gy"]
    assert {name for name in vars(fast) if not name.startswith("_")} == {"forward", "backward"}


@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
@pytest.mark.parametrize("gradient_layout", ["contiguous", "transposed"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_adamw_in_place_makes_the_steps_of_its_reference(
        layout, gradient_layout, weight_decay, dtype, tolerance, loops, rng):
    fast = choose(adamw_update, np)
    assert fast is not adamw_update
    assert inspect.signature(fast) == inspect.signature(adamw_update)

    def lay_out(array, layout):
        return array if layout == "contiguous" else np.asfortranarray(array)

    shape = 300, 400
    theirs = [lay_out(a, layout) for a in (rng.standard_normal(shape), np.zeros(shape), np.zeros(shape))]
    ours = [a.astype(dtype, order="K") for a in theirs]
    options = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": weight_decay}
    for step in (1, 2, 3):
        g = lay_out(rng.standard_normal(shape), gradient_layout)
        small = g.astype(dtype, order="K")
        small.flags.writeable = False
        fast(np, ours[0], small, *ours[1:], **options, step=step)
        adamw_update(np, theirs[0], g, *theirs[1:], **options, step=step)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == dtype
        assert np.allclose(one, other, rtol=tolerance, atol=tolerance)


def test_compiled_loops_have_the_signatures_of_their_functions():
    pytest.importorskip("numba", reason="Numba is not installed: pip install 'minimixer[compiled]'")
    with compiled_loops():
        replaced = {reference: loop for (reference, module), loop in FAST.items() if module == "numba"}
        assert replaced
        for function, loop in replaced.items():
            assert inspect.signature(loop.py_func) == inspect.signature(function)
            assert choose_loop(function, np.zeros(1, np.float32)) is loop
            assert choose_loop(function, np.zeros(1)) is function          # float64 is NumPy's
    assert all(choose_loop(function, np.zeros(1, np.float32)) is function for function in replaced)


def test_without_a_usable_numba_the_loops_are_those_of_numpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)                 # importing it is an ImportError
    monkeypatch.delitem(sys.modules, "minimixer.kernels.compiled", raising=False)
    with compiled_loops() as compiled:
        assert not compiled
        assert choose_loop(gelu, np.zeros(1, np.float32)) is gelu


@np.errstate(invalid="ignore", over="ignore")
def test_what_is_not_finite_stays_so(loops):
    x = np.zeros((3, 4), np.float32)
    x[1, 2], x[2] = np.nan, np.inf
    y = choose(Gelu, np).forward(np, x)[0]
    assert np.array_equal(np.isnan(y), np.isnan(x))
    assert np.isposinf(y[2]).all()
    assert np.abs(choose(Gelu, np).forward(np, np.full(3, -1e30, np.float32))[0]).max() < 1e-6
    one = np.ones(4, np.float32)
    y = choose(LayerNorm, np).forward(np, x, one, one, 1e-6)[0]
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[1:]).all()


def test_blocks_that_overlap_in_two_threads_end_for_themselves():
    pytest.importorskip("numba", reason="Numba is not installed: pip install 'minimixer[compiled]'")
    one = np.zeros(1, np.float32)
    loops = [compiled_loops(wish) for wish in (True, False, True)]
    states = []
    for block in loops:
        block.__enter__()
        states.append(choose_loop(gelu, one) is not gelu)
    for block in loops:                                             # the first to begin is the first to end
        block.__exit__(None, None, None)
        states.append(choose_loop(gelu, one) is not gelu)
    assert states == [True, False, True, True, True, False]
    first, second = mm.reference_kernels(), mm.reference_kernels()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert choose(Gelu, np) is Gelu
    second.__exit__(None, None, None)
    assert choose(Gelu, np) is not Gelu


def test_reference_kernels_turns_all_of_them_off_and_nests():
    assert choose(Gelu, np) is not Gelu
    with mm.reference_kernels():
        with mm.reference_kernels():
            assert all(choose(op, np) is op for op in REPLACED)
        assert choose(Gelu, np) is Gelu
    assert choose(Gelu, np) is not Gelu


def test_linear_on_a_swapped_view_copies_nothing_and_returns_a_swapped_view(rng):
    memory = rng.standard_normal((3, 8, 5))                     # (B, S, C)
    view = memory.swapaxes(1, 2)                                # (B, C, S)
    fast = choose(Linear, np)
    y, (saved, *_) = fast.forward(np, view, rng.standard_normal((8, 6)), np.zeros(6))
    assert np.shares_memory(saved, memory)
    assert y.shape == (3, 5, 6)
    assert y.swapaxes(1, 2).flags.c_contiguous
