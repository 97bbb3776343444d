"""Every op: its gradient against finite differences, and the promises that minimixer/ops/op.py makes."""

import contextlib
import pkgutil
from importlib import import_module

import numpy as np
import pytest

import minimixer as mm
from minimixer import backend, ops
from minimixer.gradcheck import as_it_lies
from minimixer.ops.op import Op
from minimixer.tensor import Tensor, apply
from tests.support.cases import CASES

every_case = pytest.mark.parametrize("case", CASES, ids=str)
both_layouts = pytest.mark.parametrize("layout", ["contiguous", "transposed"])


def run(case, device="cpu"):
    constants = [backend.to_device(c, device) for c in case.constants]
    options = case.options_on(device)
    return lambda *xs: apply(case.op, *xs, *map(Tensor, constants), **options)


@every_case
@both_layouts
def test_gradient(case, layout, device, rng):
    report = mm.gradcheck(run(case, device), *case.inputs(rng, layout), device=device)
    assert report.ok, f"\n{report}"


@every_case
def test_gradient_that_is_one_percent_off_is_found(case, rng, monkeypatch):
    right = case.op.backward

    def wrong(*arguments):
        gradients = right(*arguments)
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        return tuple(None if g is None else g * 1.01 for g in gradients)

    if case.op.__name__ == "Sign" or (case.op.__name__ == "Power" and case.options["n"] == 0):
        pytest.skip("a zero gradient is right at any factor")
    monkeypatch.setattr(case.op, "backward", staticmethod(wrong))
    with mm.reference_kernels():
        assert not mm.gradcheck(run(case), *case.inputs(rng, "contiguous")).ok


@every_case
@both_layouts
def test_nothing_given_or_saved_is_written_to(case, layout, rng):
    def freeze(things):
        for thing in things:
            if isinstance(thing, np.ndarray):
                thing.flags.writeable = False

    arrays = [*case.inputs(rng, layout), *case.constants]
    freeze(arrays)
    y, saved = case.op.forward(np, *arrays, **case.options)
    gy = rng.standard_normal(y.shape)
    freeze([gy, *saved])
    case.op.backward(np, gy, *saved)        # NumPy raises where a frozen array is written to


@every_case
def test_float32_stays_float32(case, rng, device):
    arrays = [backend.to_device(a, device) for a in case.inputs(rng, "contiguous", np.float32)]
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    y = run(case, device)(*leaves)
    gradients = mm.grad(y.sum(), leaves)
    assert {str(a.dtype) for a in (y.data, *gradients)} == {"float32"}


@every_case
@both_layouts
def test_float32_on_a_device_agrees_with_float64_on_the_cpu(case, layout, rng, device):
    arrays = case.inputs(rng, layout, np.float32)
    results = []
    for on, dtype in ((device, np.float32), ("cpu", np.float64)):
        leaves = [Tensor(as_it_lies(a.astype(dtype), on), requires_grad=True) for a in arrays]
        with contextlib.nullcontext() if on == device else mm.reference_kernels():
            y = run(case, on)(*leaves)
            v = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32).astype(dtype)
            gradients = mm.grad((y * backend.to_device(v, on)).sum(), leaves)
        results.append([y.numpy(), *map(backend.to_numpy, gradients)])
    for ours, exact in zip(*results, strict=True):
        assert np.abs(ours - exact).max() <= 1e-5 * max(1, np.abs(exact).max())


def test_every_op_has_a_case():
    modules = [import_module(f"minimixer.ops.{m.name}") for m in pkgutil.iter_modules(ops.__path__)]
    defined = {thing for module in modules for thing in vars(module).values()
               if isinstance(thing, type) and issubclass(thing, Op) and "forward" in vars(thing)}
    assert defined == {case.op for case in CASES}
