"""Functions and methods of Tensors beside PyTorch's: values and gradients, over shapes and layouts."""

import numpy as np
import pytest

import minimixer as mm
from minimixer import functional as F
from minimixer.tensor import Tensor

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
TF = torch.nn.functional
INDEX = np.array([0, 2, 0])

LAYOUTS = {
    "plain": lambda a: a,
    "fortran": np.asfortranarray,
    "negative": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1] if a.ndim else a,
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape) if a.ndim and a.shape[0] else a,
}
SHAPES = [(), (1,), (0,), (5,), (3, 4), (1, 4), (0, 3), (3, 0), (2, 3, 4), (2, 1, 3)]
SIGNED = [                          # of any numbers
    (F.relu, torch.relu), (F.sigmoid, torch.sigmoid), (F.softplus, TF.softplus), (F.exp, torch.exp),
    (F.tanh, torch.tanh), (F.sin, torch.sin), (F.cos, torch.cos), (F.sinh, torch.sinh), (F.cosh, torch.cosh),
    (F.expm1, torch.expm1), (F.abs, torch.abs), (F.sign, torch.sign), (lambda x: -x, lambda x: -x),
    (F.gelu, lambda x: TF.gelu(x, approximate="tanh")), (lambda x: F.gelu(x, "erf"), TF.gelu),
    (lambda x: x**2, lambda x: x**2), (lambda x: 2**x, lambda x: 2**x), (lambda x: 1 - 2 * x, lambda x: 1 - 2 * x),
    (lambda x: F.clip(x, -0.5, 0.5), lambda x: torch.clamp(x, -0.5, 0.5)),
    (lambda x: F.clip(x, high=0.3), lambda x: torch.clamp(x, max=0.3)),
    (lambda x: F.maximum(x, 0.1), lambda x: torch.maximum(x, torch.tensor(0.1, dtype=x.dtype))),
    (lambda x: F.where(x > 0, x, 3.0), lambda x: torch.where(x > 0, x, 3.0)),
    (lambda x: x[x > 0], lambda x: x[x > 0]), (F.flatten, torch.flatten), (F.squeeze, torch.squeeze),
    (lambda x: F.broadcast_to(x, (2, *x.shape)), lambda x: torch.broadcast_to(x, (2, *x.shape))),
    (lambda x: F.expand_dims(x, -1), lambda x: x[..., None]), (lambda x: F.pad(x, 1, 2.0), lambda x: TF.pad(
        x, (1, 1) * x.ndim, value=2.0) if x.ndim else x * 1), (lambda x: F.stack([x, 2 * x], -1),
                                                             lambda x: torch.stack([x, 2 * x], -1)),
    (lambda x: x.sum(), torch.sum), (lambda x: F.flip(x), lambda x: torch.flip(x, tuple(range(x.ndim))))]
POSITIVE = [
    (F.log, torch.log), (F.sqrt, torch.sqrt), (F.log1p, torch.log1p), (lambda x: x**-1.5, lambda x: x**-1.5),
    (lambda x: x**x, lambda x: x**x), (lambda x: 1 / x, lambda x: 1 / x)]
ALONG = [                           # an axis, which is the last
    (lambda x: x.cumsum(-1), lambda x: x.cumsum(-1)), (lambda x: F.softmax(x, 0), lambda x: torch.softmax(x, 0)),
    (F.softmax, lambda x: torch.softmax(x, -1)), (F.log_softmax, lambda x: torch.log_softmax(x, -1)),
    (lambda x: F.log_softmax(x, 0), lambda x: torch.log_softmax(x, 0)),
    (lambda x: F.concatenate([x, x * 2], -1), lambda x: torch.cat([x, x * 2], -1)),
    (lambda x: F.repeat(x, 2, -1), lambda x: x.repeat_interleave(2, -1)),
    (lambda x: F.roll(x, 2, -1), lambda x: torch.roll(x, 2, -1)),
    (lambda x: F.roll(x, -1, 0), lambda x: torch.roll(x, -1, 0)),
    (lambda x: F.flip(x, 0), lambda x: torch.flip(x, (0,))),
    (lambda x: x.sum(-1), lambda x: x.sum(-1)),
    (lambda x: F.split(x, [1], -1)[1], lambda x: x[..., 1:])]
FULL = [                            # of an axis that is not empty
    (lambda x: x.mean(0, keepdims=True), lambda x: x.mean(0, keepdim=True)),
    (lambda x: x.max(-1), lambda x: x.amax(-1)), (lambda x: x.min(0), lambda x: x.amin(0)),
    (lambda x: x.min(), lambda x: x.amin()), (lambda x: F.logsumexp(x, -1), lambda x: torch.logsumexp(x, -1)),
    (lambda x: x.var(-1), lambda x: x.var(-1, correction=0)), (lambda x: x[..., 0], lambda x: x[..., 0]),
    (lambda x: x[[0, -1, 0]], lambda x: x[[0, -1, 0]]),
    (lambda x: x[..., np.zeros((2, 2), int)], lambda x: x[..., torch.zeros((2, 2), dtype=torch.long)])]
CASES = [(one, both, shape, positive) for group, shapes, positive in (
    (SIGNED, SHAPES, False), (POSITIVE, SHAPES, True), (ALONG, SHAPES[1:], False),
    (FULL, [s for s in SHAPES[1:] if 0 not in s], False)) for shape in shapes for one, both in group]


def compare(ours, theirs, arrays, dtype):
    """Values and gradients of one function of some arrays, here and there."""
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    twins = [torch.tensor(a.copy(), requires_grad=True) for a in arrays]
    with np.errstate(all="ignore"):
        y, twin = ours(*leaves), theirs(*twins)
        assert y.shape == tuple(twin.shape)
        assert y.dtype == dtype
        np.testing.assert_allclose(y.data, twin.detach().numpy(), rtol=tolerance, atol=tolerance)
        v = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
        y.backward(v)
    twin.backward(torch.tensor(v))
    for leaf, other in zip(leaves, twins, strict=True):
        assert leaf.grad.dtype == dtype
        np.testing.assert_allclose(leaf.grad, other.grad.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_functions_of_one_tensor(shape, layout, dtype, rng):
    for ours, theirs, of, positive in CASES:
        if of == shape:
            a = rng.uniform(0.5, 2, shape) if positive else rng.standard_normal(shape)
            a = LAYOUTS[layout](np.asarray(a, dtype))
            a.flags.writeable = False
            compare(ours, theirs, [a], dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shapes", [((3, 4), (3, 4)), ((3, 4), (4,)), ((), (2, 3)), ((0, 3), (1, 3)), ((2, 1), (1, 3))],
                         ids=str)
@pytest.mark.parametrize(("ours", "theirs"), [
    (lambda a, b: a + b, lambda a, b: a + b), (lambda a, b: a - b, lambda a, b: a - b),
    (lambda a, b: a * b, lambda a, b: a * b), (lambda a, b: a / b, lambda a, b: a / b),
    (lambda a, b: a**b, lambda a, b: a**b), (F.maximum, torch.maximum), (F.minimum, torch.minimum),
    (lambda a, b: F.where(a > b, a, b), lambda a, b: torch.where(a > b, a, b))])
def test_functions_of_two_tensors_that_broadcast(ours, theirs, shapes, dtype, rng):
    compare(ours, theirs, [rng.uniform(0.5, 2, shape).astype(dtype) for shape in shapes], dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("subscripts", "shapes"), [
    ("bqd,bkd->bqk", ((2, 3, 4), (2, 5, 4))), ("ij,jk,k->i", ((2, 3), (3, 4), (4,))), ("ij->ji", ((2, 3),)),
    ("ij,jk", ((2, 3), (3, 4))), ("ij,k->i", ((2, 3), (4,))), ("i,i->", ((3,), (3,))), ("ij,jk->ik", ((0, 3), (3, 2))),
    ("ij,jk->ik", ((2, 0), (0, 2)))])
def test_einsum(subscripts, shapes, dtype, rng):
    compare(lambda *xs: F.einsum(subscripts, *xs), lambda *xs: torch.einsum(subscripts, *xs),
            [rng.standard_normal(shape).astype(dtype) for shape in shapes], dtype)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("rows", [(4,), (2, 3)])
def test_cross_entropy(rows, soft, smoothing, reduction, rng):
    labels = rng.dirichlet(np.ones(5), rows) if soft else rng.integers(0, 5, rows)

    def theirs(x, *targets):
        t = targets[0].movedim(-1, 1) if targets else torch.tensor(labels)
        return TF.cross_entropy(x.movedim(-1, 1), t, label_smoothing=smoothing, reduction=reduction)

    x = rng.standard_normal((*rows, 5))
    compare(lambda x, *t: F.cross_entropy(x, *(t or (labels,)), label_smoothing=smoothing, reduction=reduction),
            theirs, [x, labels] if soft else [x], np.float64)


@pytest.mark.parametrize(("ours", "theirs", "start"), [
    (F.relu, torch.relu, [np.nan, 0.0, -1.0, 1.0]), (F.abs, torch.abs, [-np.inf, 0.0, -1.0]),
    (F.sigmoid, torch.sigmoid, [-800.0, 800.0, np.nan]), (F.softplus, TF.softplus, [-800.0, 0.0, 15.0, np.nan]),
    (lambda x: F.clip(x, 0, 1), lambda x: torch.clamp(x, 0, 1), [0.0, 1.0, np.nan, -1.0]),
    (lambda x: x**0.0, lambda x: x**0.0, [0.0, 1.0]), (lambda x: 0.0**x, lambda x: 0.0**x, [0.0, 1.0, 2.0]),
    (lambda x: F.maximum(x, Tensor(np.zeros(3))), lambda x: torch.maximum(x, torch.zeros(3, dtype=x.dtype)),
     [0.0, np.nan, 1.0]),
    (lambda x: F.logsumexp(x, 0), lambda x: torch.logsumexp(x, 0), [-np.inf, 0.0, 1000.0])])
def test_kinks_overflow_and_nan(ours, theirs, start):
    compare(ours, theirs, [np.array(start)], np.float64)


def test_an_infinite_gradient_is_stopped_by_relu_as_there():
    x, twin = Tensor(np.array([-1.0, 0.0, 2.0]), requires_grad=True), torch.tensor([-1.0, 0, 2], requires_grad=True)
    F.relu(x).backward(np.full(3, np.inf))
    torch.relu(twin).backward(torch.full((3,), np.inf))
    assert x.grad.tolist() == twin.grad.tolist() == [0, 0, np.inf]


def test_gradients_add_up_at_repeated_indices():
    x = Tensor(np.arange(3.0), requires_grad=True)
    (x[[0, 0, 1]] * np.array([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [11, 100, 0]
    assert mm.gradcheck(lambda t: t[INDEX, [1, 0, 1]], np.arange(6.0).reshape(3, 2))
