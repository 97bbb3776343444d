"""Functions and methods of Tensors beside PyTorch's: values and gradients, over shapes and layouts.

``tests/test_coverage.py`` proves that no op, no function and no layer is missing here.
"""

import numpy as np
import pytest

import minimixer as mm
from minimixer import functional as F
from minimixer import nn
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


def image_first(theirs):
    """PyTorch's function of images (B, C, H, W), as one of (B, H, W, C)."""
    return lambda x, *others: theirs(x.movedim(-1, 1), *others).movedim(1, -1)


def convolve(kernel, **options):
    """PyTorch's convolution, of filters as ours: (KH * KW * in, out), or one such matrix for each group."""
    def convolution(x, weight, bias):
        stacked = weight if weight.ndim == 3 else weight[None]              # (groups, KH * KW * in, out)
        kernels = stacked.reshape(len(stacked), *kernel, -1, stacked.shape[-1]).permute(0, 4, 3, 1, 2)
        return TF.conv2d(x, kernels.flatten(0, 1), bias, **options)
    return image_first(convolution)


def ours_convolves(c_in, c_out, kernel_size, stride, padding, groups):
    """A Conv2d as a function of images, weight and bias."""
    layer = nn.Conv2d(c_in, c_out, kernel_size, stride, padding, groups=groups)

    def convolution(x, weight, bias):
        layer.filters.weight, layer.filters.bias = weight, bias
        return layer(x)
    return convolution


def windows(x, k, stride, padding):
    """All windows of images, (B, H', W', KH * KW * C), in PyTorch."""
    b, h, w, c = x.shape
    rows, columns = ((n + 2 * p - m) // s + 1 for n, p, m, s in zip((h, w), padding, k, stride, strict=True))
    found = TF.unfold(x.movedim(-1, 1), k, stride=stride, padding=padding)          # (B, C * KH * KW, H' * W')
    return found.reshape(b, c, k[0] * k[1], rows, columns).permute(0, 3, 4, 2, 1).flatten(3)


IMAGES = ((2, 6, 5, 4),)
CONVOLUTIONS = [                    # channels out, kernel, stride, padding, groups, of 4 channels in
    (3, (3, 3), (1, 1), (1, 1), 1), (6, (1, 3), (2, 1), (0, 1), 2), (4, (3, 3), (1, 1), (1, 1), 4),
    (8, (3, 2), (2, 2), (1, 0), 4)]
POOLS = [(2, None, 0, IMAGES), (3, 2, 1, IMAGES), ((3, 2), (1, 2), (1, 0), IMAGES), (2, 1, 0, ((1, 2, 2, 1),)),
         (2, None, 0, ((0, 4, 4, 3),))]
LAYERS = [                          # functions of several operands, with their shapes
    *((F.linear, lambda x, w, b: TF.linear(x, w.mT, b), (shape, (4, n), (n,)))
      for shape, n in (((3, 4), 5), ((2, 3, 4), 1), ((0, 4), 5), ((4,), 5))),
    (F.linear, lambda x, w: TF.linear(x, w.mT), ((2, 3, 4), (4, 5))),
    *((F.layer_norm, lambda x, w, b: TF.layer_norm(x, w.shape, w, b, 1e-6), (shape, shape[-1:], shape[-1:]))
      for shape in ((3, 4), (2, 3, 4), (0, 4), (4,))),
    *((lambda x, w, b, g=g: F.group_norm(x, w, b, g),
       image_first(lambda x, w, b, g=g: TF.group_norm(x, g, w, b, 1e-6)), (*IMAGES, (4,), (4,))) for g in (1, 2, 4)),
    (lambda x, w, b: F.batch_norm(x, x.mean((0, 1, 2)), x.var((0, 1, 2)), w, b),
     image_first(lambda x, w, b: TF.batch_norm(x, None, None, w, b, True)), (*IMAGES, (4,), (4,))),
    (lambda x, w, b: F.batch_norm(x, b.detach(), w.detach(), w, b),
     lambda x, w, b: TF.batch_norm(x, b.detach(), w.detach(), w, b), ((3, 4), (4,), (4,))),
    *((lambda w, ids=ids: F.embedding(ids, w), lambda w, ids=ids: TF.embedding(torch.tensor(ids), w), ((4, 3),))
      for ids in (INDEX, np.zeros((2, 0), int), np.array(2))),
    *((F.matmul, torch.matmul, shapes) for shapes in (
        ((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (3, 4, 1)), ((0, 4), (4, 5)), ((3, 0), (0, 5)),
        ((4,), (4,)), ((3, 4), (4,)))),
    (lambda x: F.patches(x, 2), lambda x: windows(x, (2, 2), (2, 2), (0, 0)).flatten(1, 2), ((2, 4, 6, 3),)),
    *((lambda x, o=o: F.unfold(x, *o), lambda x, o=o: windows(x, *o), IMAGES)
      for o in (((3, 3), (1, 1), (1, 1)), ((2, 3), (2, 1), (0, 1)))),
    *((lambda x, f=ours, o=options: f(x, *o), image_first(lambda x, f=theirs, o=options: f(x, *o)), shapes)
      for ours, theirs in ((F.max_pool2d, TF.max_pool2d), (F.avg_pool2d, TF.avg_pool2d)) for *options, shapes in POOLS),
    *((ours_convolves(4, n, k, stride, padding, groups), convolve(k, stride=stride, padding=padding, groups=groups),
       (*IMAGES, (k[0] * k[1] * 4, n) if groups == 1 else (groups, k[0] * k[1] * 4 // groups, n // groups), (n,)))
      for n, k, stride, padding, groups in CONVOLUTIONS),
    *((lambda *xs, s=subscripts: F.einsum(s, *xs), lambda *xs, s=subscripts: torch.einsum(s, *xs), shapes)
      for subscripts, shapes in (
        ("bqd,bkd->bqk", ((2, 3, 4), (2, 5, 4))), ("ij,jk,k->i", ((2, 3), (3, 4), (4,))), ("ij->ji", ((2, 3),)),
        ("ij,jk", ((2, 3), (3, 4))), ("ij,k->i", ((2, 3), (4,))), ("i,i->", ((3,), (3,))),
        ("ij,jk->ik", ((0, 3), (3, 2))), ("ij,jk->ik", ((2, 0), (0, 2))))),
    (lambda x: F.cross_entropy(x, INDEX), lambda x: TF.cross_entropy(x, torch.tensor(INDEX)), ((3, 4),)),
    (lambda x: x.std(-1), lambda x: x.std(-1, correction=0), ((3, 4),)),
    (lambda x: F.std(x, 0, ddof=1), lambda x: x.std(0), ((3, 4),)),
    (lambda x: F.var(x, (0, 2), keepdims=True), lambda x: x.var((0, 2), correction=0, keepdim=True), ((2, 3, 4),)),
    (lambda x: F.cumsum(x, 1), lambda x: x.cumsum(1), ((2, 3, 4),)),
    (lambda x: x.reshape(4, -1), lambda x: x.reshape(4, -1), ((2, 3, 4),)), (lambda x: x.T, lambda x: x.T, ((3, 4),)),
    (lambda x: x.swapaxes(0, -1), lambda x: x.swapaxes(0, -1), ((2, 3, 4),)),
    (lambda x: x.transpose(2, 0, 1), lambda x: x.permute(2, 0, 1), ((2, 3, 4),)),
    (lambda x: x[1:, None, ..., ::2], lambda x: x[1:, None, ..., ::2], ((2, 3, 4),)),
    (lambda x: F.pad(x, [(0, 1), (2, 0)], -1.0), lambda x: TF.pad(x, (2, 0, 0, 1), value=-1.0), ((3, 4),))]

OF_TWO = [
    (lambda a, b: a + b, lambda a, b: a + b), (lambda a, b: a - b, lambda a, b: a - b),
    (lambda a, b: a * b, lambda a, b: a * b), (lambda a, b: a / b, lambda a, b: a / b),
    (lambda a, b: a**b, lambda a, b: a**b), (F.maximum, torch.maximum), (F.minimum, torch.minimum),
    (lambda a, b: F.where(a > b, a, b), lambda a, b: torch.where(a > b, a, b))]
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
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", LAYERS, ids=range(len(LAYERS)))
def test_functions_of_several_tensors(case, layout, dtype, rng):
    ours, theirs, shapes = case
    if ours is F.layer_norm and layout == "broadcast" and len(shapes[0]) == 1 and dtype == np.float32:
        pytest.skip("in a row of equal numbers PyTorch normalizes what its mean rounded, and here is nothing left")
    arrays = [LAYOUTS[layout](rng.uniform(0.5, 2, shape).astype(dtype)) for shape in shapes]
    for a in arrays:
        a.flags.writeable = False
    compare(ours, theirs, arrays, dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shapes", [((3, 4), (3, 4)), ((3, 4), (4,)), ((), (2, 3)), ((0, 3), (1, 3)), ((2, 1), (1, 3))],
                         ids=str)
@pytest.mark.parametrize(("ours", "theirs"), OF_TWO, ids=range(len(OF_TWO)))
def test_functions_of_two_tensors_that_broadcast(ours, theirs, shapes, layout, dtype, rng):
    arrays = [LAYOUTS[layout](rng.uniform(0.5, 2, shape).astype(dtype)) for shape in shapes]
    for a in arrays:
        a.flags.writeable = False
    compare(ours, theirs, arrays, dtype)


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
    *((lambda x, k=k: F.max_pool2d(x.reshape(1, -1, 2, 1), k), lambda x, k=k: TF.max_pool2d(
        x.reshape(1, 1, -1, 2), k).movedim(1, -1), start) for k, start in (
            ((3, 2), [1.0, 2.0, 2.0, 0.0, 2.0, 1.0]), (2, [1.0, np.nan, 3.0, -np.inf]), (1, [-np.inf, np.inf]))),
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


@pytest.mark.parametrize(("ours", "theirs"), [
    (nn.ReLU(), torch.nn.ReLU()), (nn.Tanh(), torch.nn.Tanh()), (nn.Sigmoid(), torch.nn.Sigmoid()),
    (nn.GELU("erf"), torch.nn.GELU()), (nn.GELU(), torch.nn.GELU("tanh")), (nn.Flatten(), torch.nn.Flatten()),
    (nn.MaxPool2d((2, 1)), image_first(torch.nn.MaxPool2d((2, 1)))),
    (nn.AvgPool2d(3, 1, 1), image_first(torch.nn.AvgPool2d(3, 1, 1))),
    (nn.Sequential(nn.Tanh(), nn.ReLU()), torch.nn.Sequential(torch.nn.Tanh(), torch.nn.ReLU()))],
    ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("shape", [(2, 4, 6, 3), (0, 4, 6, 3)], ids=str)
def test_layers_without_parameters(ours, theirs, shape, rng):
    compare(ours, theirs, [rng.standard_normal(shape)], np.float64)


def test_embedding_layer(rng):
    layer, ids = nn.Embedding(5, 3), np.array([[0, 4], [4, 1]])
    twin = torch.nn.Embedding.from_pretrained(torch.tensor(layer.weight.data), freeze=False)
    y, expected = layer(ids), twin(torch.tensor(ids))
    v = rng.standard_normal(y.shape).astype(np.float32)
    y.backward(v)
    expected.backward(torch.tensor(v))
    assert np.array_equal(y.data, expected.detach().numpy())
    assert np.allclose(layer.weight.grad, twin.weight.grad.numpy(), atol=1e-6)


@pytest.mark.parametrize("shape", [(7, 4), (3, 5, 6, 4)], ids=str)
def test_batch_norm_layer_in_training_and_after(shape, rng):
    ours = nn.BatchNorm(4)
    for _, t in ours.named_tensors():
        t.data = t.data.astype(np.float64)
    twin = (torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d)(4).double()
    theirs = twin if len(shape) == 2 else image_first(twin)
    for _ in range(3):
        compare(ours, theirs, [rng.standard_normal(shape) * 3 + 1], np.float64)
    for name in ("running_mean", "running_var"):
        assert np.allclose(getattr(ours, name).data, getattr(twin, name).numpy(), rtol=1e-12)
    ours.eval()
    twin.eval()
    compare(ours, theirs, [rng.standard_normal(shape)], np.float64)
