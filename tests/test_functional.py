import numpy as np
import pytest

from minimixer import functional as F
from minimixer.tensor import Tensor


def zeros(*shape):
    return Tensor(np.zeros(shape))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: F.linear(zeros(2, 3), zeros(4, 5), zeros(5)), r"x has shape \(2, 3\), expected 4 elements.*\(out, in\)"),
    (lambda: F.linear(zeros(2, 3), zeros(3, 5), zeros(3)), r"bias \(3,\), expected \(in, out\) and \(out,\)"),
    (lambda: F.linear(zeros(2, 3), zeros(3)), r"weight has shape \(3,\), bias None, expected \(in, out\)"),
    (lambda: F.gelu(zeros(2), "sigmoid"), "'sigmoid', expected 'tanh' or 'erf'"),
    (lambda: F.layer_norm(zeros(2, 3), zeros(2), zeros(2)), r"must have shape \(3,\), got \(2,\)"),
    (lambda: F.cross_entropy(zeros(3), np.zeros(3, int)), r"expected \(B, K\)"),
    (lambda: F.cross_entropy(zeros(2, 3), np.zeros(3, int)), r"labels have shape \(3,\).*of shape \(2,\)"),
    (lambda: F.cross_entropy(zeros(2, 3), np.zeros(2)), r"dtype float64, expected integers.*\(2, 3\)"),
    (lambda: F.cross_entropy(zeros(2, 3), np.array([0, 3])), r"label 3 at position 1, expected 0\.\.2"),
    (lambda: F.cross_entropy(zeros(2, 3), np.array([-1, 0])), r"label -1 at position 0, expected 0\.\.2"),
    (lambda: F.cross_entropy(zeros(2, 3), np.array([0, 0]), 1.0), r"label_smoothing is 1.0, expected"),
    (lambda: F.cross_entropy(zeros(2, 3), np.array([0, 0]), reduction="max"), "expected 'mean', 'sum' or 'none'"),
    (lambda: F.patches(zeros(2, 3, 3), 3), r"expected \(B, H, W, channels\)"),
    (lambda: F.patches(zeros(1, 32, 30, 3), 4), "32 x 30 pixels .* patches of 4 x 4: change patch_size"),
])
def test_bad_arguments_get_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), [
    (lambda small: F.linear(zeros(2, 3), small(3, 5), small(5)), "linear: x is float64, weight float32 .* one float"),
    (lambda small: F.layer_norm(zeros(2, 3), small(3), zeros(3)), "layer_norm: x is float64, weight float32"),
    (lambda small: F.group_norm(small(1, 2, 2, 4), zeros(4), zeros(4), 2), "group_norm: x is float32, weight float64"),
    (lambda small: F.linear(*(Tensor(np.ones(shape, int)) for shape in ((2, 3), (3, 5), 5))), "linear: x is int64"),
    (lambda small: F.gelu(Tensor(np.ones(2, int))), "gelu: x is int64, expected floating-point numbers"),
])
def test_types_that_do_not_fit_get_a_sentence(call, message):
    with pytest.raises(TypeError, match=message):
        call(lambda *shape: Tensor(np.zeros(shape, np.float32)))


def test_patches_are_flattened_in_row_column_channel_order():
    image = np.arange(1 * 4 * 6 * 3).reshape(1, 4, 6, 3)
    patches = F.patches(Tensor(image), 2).data
    assert patches.shape == (1, 6, 12)
    for s in range(6):
        r, c = divmod(s, 3)
        assert np.array_equal(patches[0, s].reshape(2, 2, 3), image[0, 2 * r:2 * r + 2, 2 * c:2 * c + 2])


def test_huge_logits_stay_finite():
    logits = Tensor(np.array([[1e4, 0.0], [-1e4, 1e4]]), requires_grad=True)
    loss = F.cross_entropy(logits, np.array([1, 0]))
    loss.backward()
    assert np.isfinite(loss.data).all()
    assert np.isfinite(logits.grad).all()
    assert np.allclose(F.softmax(logits.detach()).data.sum(-1), 1)


def test_a_class_that_is_ruled_out_costs_nothing():
    logits = Tensor([[2.0, 1.0, -np.inf]], requires_grad=True)
    loss = F.cross_entropy(logits, np.array([0]))
    loss.backward()
    assert loss.item() == pytest.approx(np.log1p(np.exp(-1)))
    assert logits.grad[0].tolist() == pytest.approx([-0.26894143, 0.26894143, 0])
    assert np.isnan(F.cross_entropy(Tensor([[2.0, np.nan]]), np.array([0])).item())


def test_the_two_forms_of_gelu_differ_by_less_than_documented():
    x = Tensor(np.linspace(-6, 6, 2001))
    difference = np.abs(F.gelu(x).data - F.gelu(x, "erf").data).max()
    assert 1e-5 < difference < 5e-4


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("soft", [False, True])
def test_functions_agree_with_pytorch(reduction, label_smoothing, soft, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = rng.standard_normal((4, 5))
    labels = rng.dirichlet(np.ones(5), 4) if soft else rng.integers(0, 5, 4)
    ours = Tensor(x, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    loss = F.cross_entropy(ours, labels, label_smoothing, reduction)
    twin = torch.nn.functional.cross_entropy(theirs, torch.tensor(labels), label_smoothing=label_smoothing,
                                             reduction=reduction)
    loss.backward()
    twin.backward()
    assert loss.item() == pytest.approx(twin.item(), rel=1e-12)
    assert np.allclose(ours.grad, theirs.grad.numpy(), rtol=1e-12, atol=1e-14)
