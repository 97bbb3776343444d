"""The stand-in device catches what it is for: here the bugs are planted."""

import operator

import numpy as np
import pytest

import minimixer as mm
from minimixer import backend
from minimixer.ops.op import Op
from minimixer.tensor import Tensor, apply
from tests.support import cupy_names, standin


@pytest.fixture
def x():
    return backend.to_device(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), "standin")


def planted(forward):
    """An op whose forward was written carelessly."""
    return type("Planted", (Op,), {"forward": staticmethod(forward),
                                   "backward": staticmethod(lambda xp, gy, *_: gy)})


BUGS = {
    "a function of NumPy": (lambda xp, x: (np.exp(x), ()), "does not support ufuncs"),
    "a reduction of NumPy": (lambda xp, x: (np.sum(x), ()), r"np\.sum was called with a device array"),
    "an implicit copy": (lambda xp, x: (xp.asarray(np.asarray(x) + 1), ()), "Implicit conversion"),
    "a mixed operand": (lambda xp, x: (x + np.ones(2, np.float32), ()), "a NumPy array .* met a device array"),
    "a mixed operand on the left": (lambda xp, x: (np.ones(2, np.float32) * x, ()), "a NumPy array .* met"),
    "a mixed argument": (lambda xp, x: (xp.maximum(x, np.zeros(2)), ()), "a NumPy array .* met"),
    "a mixed index": (lambda xp, x: (x[np.array([0, 1])], ()), "a NumPy array .* met"),
    "a list in a reduction": (lambda xp, x: (x * xp.prod((2, 3)), ()), "Unsupported type"),
    "a function that CuPy lacks": (lambda xp, x: (xp.trapz(x), ()), "module 'cupy' has no attribute 'trapz'"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught_by_the_check_that_every_op_passes(bug, rng):
    forward, message = BUGS[bug]
    with pytest.raises((TypeError, AttributeError), match=message):
        mm.gradcheck(lambda x: apply(planted(forward), x), rng.standard_normal((2, 2)), device="standin")


def test_a_value_that_is_read_in_an_op_is_counted(x):
    def forward(xp, x):
        return x / float(x.max()), ()

    with standin.watch() as waits:
        apply(planted(forward), Tensor(x))
    assert waits == ["__float__"]
    with standin.watch() as waits:
        Tensor(x).exp()
    assert waits == []


@pytest.mark.parametrize(("read", "name"), [
    (lambda x: x[0, 0].item(), ".item()"), (lambda x: x.tolist(), ".tolist()"), (lambda x: x[x > 1], "a boolean mask"),
    (lambda x: bool(x.max() > 1), "__bool__"), (lambda x: int(x[0, 0]), "__int__"), (repr, "__repr__"),
    (backend.to_numpy, ".get()"), (lambda x: standin.xp.nonzero(x), "xp.nonzero")])
def test_what_makes_the_host_wait_is_noted(read, name, x):
    with standin.watch() as waits:
        read(x)
    assert waits == [name]


def test_results_are_arrays_of_the_device_and_never_scalars(x):
    xp = standin.xp
    results = [x.sum(), x[0, 0], x[0], x.max(0), x.T, xp.exp(x), -x, 2 + x, np.float32(2) * x, x @ x, x == x,
               xp.sqrt(2.0), xp.where(x > 1, x, 0), xp.zeros(3), xp.array([1, 2]), *x, *xp.split(x, 2), x.astype(int),
               xp.allclose(x, x), *divmod(x, 2), x[x > 1], abs(x), x[None, ..., 0]]
    assert {type(r) for r in results} == {standin.DeviceArray}
    assert x.sum().shape == x[0, 0].shape == ()


def test_views_share_memory_and_changes_in_place_stay_in_place(x):
    y = x
    y += 1
    assert y is x
    x[0, 0][...] = 7
    x.T[0, 1] = 9
    assert backend.to_numpy(x).tolist() == [[7, 3], [9, 5]]
    with pytest.raises(TypeError, match="met a device array"):
        x[0] = np.zeros(2)
    with pytest.raises(AttributeError, match=r"cupy.ndarray has no attribute 'setflags'"):
        x.setflags()
    assert not hasattr(x.flags, "writeable")


@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.mul, operator.truediv, operator.matmul])
@pytest.mark.parametrize("other", ["array", "Tensor"])
def test_operands_on_two_devices_are_an_error_that_names_both(op, other, x):
    there = np.ones((2, 2), np.float32)
    for one, two in ((Tensor(x), there), (Tensor(there), x)):
        if other == "Tensor":
            two = Tensor(two)
        with pytest.raises(backend.DeviceError, match=r"two devices, '(standin' and 'cpu|cpu' and 'standin)': move"):
            op(one, two)
        with pytest.raises(backend.DeviceError, match="two devices"):
            op(two, one)


def test_the_lists_of_names_are_those_of_cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    assert {name for name in cupy_names.FUNCTIONS if not hasattr(cupy, name)} == set()
    assert {name for name in cupy_names.METHODS if not hasattr(cupy.ndarray, name)} == set()
