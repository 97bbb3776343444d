"""The ConvNet against an independent one in PyTorch."""

import contextlib

import numpy as np
import pytest

import minimixer as mm
from minimixer import functional as F
from minimixer import nn
from minimixer.tensor import Tensor

TINY = nn.ConvNetConfig(image_size=8, width=4, blocks_per_stage=2, groups=2, num_classes=3)


def randomized(model, rng, dtype=np.float64):
    for p in model.parameters():
        p.data = (p.data + 0.2 * rng.standard_normal(p.shape)).astype(dtype)
    return model


def as_kernel(weight, k):
    """Our (K * K * in, out) as PyTorch's (out, in, K, K)."""
    return weight.reshape(k, k, -1, weight.shape[1]).permute(3, 2, 0, 1)


@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_logits_and_every_gradient_agree_with_pytorch_to_1e_10(kernels, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    tf = torch.nn.functional
    model = randomized(nn.ConvNet(TINY), rng)
    images, labels = rng.standard_normal((5, 8, 8, 3)), rng.integers(0, 3, 5)
    theirs = {name: torch.tensor(p.data, requires_grad=True) for name, p in model.named_parameters()}

    def conv(x, name, k, stride=1):
        weight, bias = theirs[f"{name}.filters.weight"], theirs[f"{name}.filters.bias"]
        return tf.conv2d(x, as_kernel(weight, k), bias, stride=stride, padding=k // 2)

    def norm(x, name):
        return tf.group_norm(x, 2, theirs[f"{name}.weight"], theirs[f"{name}.bias"], eps=1e-6)

    x = torch.tensor(images).permute(0, 3, 1, 2)
    x = tf.relu(norm(conv(x, "stem", 3), "norm"))
    for i in range(6):
        name, stride = f"blocks.{i}", 2 if i in (2, 4) else 1
        y = tf.relu(norm(conv(x, f"{name}.conv1", 3, stride), f"{name}.norm1"))
        y = norm(conv(y, f"{name}.conv2", 3), f"{name}.norm2")
        x = tf.relu((conv(x, f"{name}.shortcut", 1, stride) if stride == 2 else x) + y)
    expected = tf.linear(x.mean((2, 3)), theirs["head.weight"].T, theirs["head.bias"])
    tf.cross_entropy(expected, torch.tensor(labels)).backward()

    with mm.reference_kernels() if kernels == "reference" else contextlib.nullcontext():
        logits = model(Tensor(images))
        gradients = mm.grad(F.cross_entropy(logits, labels), model.parameters())
    assert np.abs(logits.data - expected.detach().numpy()).max() < 1e-10
    for (name, twin), gradient in zip(theirs.items(), gradients, strict=True):
        assert np.abs(gradient - twin.grad.numpy()).max() < 1e-10 * max(1, twin.grad.abs().max()), name


@pytest.mark.parametrize(("k", "stride", "padding"), [(1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (4, 3, 2), (5, 1, 0)])
def test_a_convolution_is_pytorchs_forward_and_backward(k, stride, padding, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    ours = randomized(nn.Conv2d(3, 6, k, stride, padding), rng)
    x = Tensor(rng.standard_normal((2, 7, 9, 3)), requires_grad=True)
    twins = [torch.tensor(t.data, requires_grad=True) for t in (x, ours.filters.weight, ours.filters.bias)]
    y = ours(x)
    expected = torch.nn.functional.conv2d(twins[0].permute(0, 3, 1, 2), as_kernel(twins[1], k), twins[2], stride=stride,
                                          padding=padding).permute(0, 2, 3, 1)
    assert y.shape == expected.shape
    assert np.abs(y.data - expected.detach().numpy()).max() < 1e-10
    gy = rng.standard_normal(y.shape)
    expected.backward(torch.tensor(gy))
    y.backward(gy)
    for tensor, twin in zip((x, ours.filters.weight, ours.filters.bias), twins, strict=True):
        assert np.abs(tensor.grad - twin.grad.numpy()).max() < 1e-10


def test_the_logits_of_an_image_do_not_depend_on_the_others_of_its_batch(rng):
    model = randomized(nn.ConvNet(TINY), rng)
    images = rng.standard_normal((6, 8, 8, 3))
    together = model(Tensor(images)).data
    assert np.allclose(together[2:4], model(Tensor(images[2:4])).data, atol=1e-12)


def test_group_norm_leaves_mean_zero_and_variance_one_in_every_group(rng, device):
    norm = nn.GroupNorm(6, 3).to(device)
    x = Tensor(mm.backend.to_device((5 + 3 * rng.standard_normal((2, 4, 4, 6))).astype(np.float32), device))
    groups = norm(x).numpy().reshape(2, 16, 3, 2)
    assert np.allclose(groups.mean((1, 3)), 0, atol=1e-5)
    assert np.allclose(groups.std((1, 3)), 1, atol=1e-4)


def test_images_of_another_size_are_accepted(rng):
    model = randomized(nn.ConvNet(TINY), rng)
    assert model(Tensor(rng.standard_normal((2, 13, 7, 3)))).shape == (2, 3)


def test_stochastic_depth_grows_over_the_blocks_and_acts_in_training_only(rng):
    config = nn.ConvNetConfig(**{**vars(TINY), "stochastic_depth": 0.5})
    model = randomized(nn.ConvNet(config), rng)
    assert [block.drop_branch.rate for block in model.blocks] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    images = Tensor(rng.standard_normal((9, 8, 8, 3)))
    with nn.draw_from(np.random.default_rng(0)):
        in_training = model(images).data
    assert not np.allclose(in_training, model.eval()(images).data, atol=1e-3)


def test_print_shows_every_step_with_its_shape():
    model = nn.ConvNet(TINY)
    rows = list(model.blocks[2].summary_rows(8))
    assert sum(parameters for _, _, parameters in rows) == model.blocks[2].num_parameters()
    assert rows[0] == ("conv1: Conv2d 3x3/2, 4 -> 8", ("B", 4, 4, 8), 3 * 3 * 4 * 8 + 8)
    text = repr(model)
    assert text.startswith(f"ConvNet: {model.num_parameters():,} parameters")
    assert "blocks.0 to blocks.1, each:" in text


@pytest.mark.parametrize(("make", "message"), [
    (lambda: nn.ConvNetConfig(width=12), "12 channels cannot be split into 8 equal groups: change groups"),
    (lambda: nn.ConvNetConfig(image_size=30), "image_size is 30, expected a multiple of 4"),
    (lambda: nn.ConvNetConfig(width=0), "width is 0, expected a positive number"),
    (lambda: nn.ConvNet(TINY)(Tensor(np.zeros((1, 8, 8, 1)))), r"\(1, 8, 8, 1\), expected \(B, H, W, 3\)"),
    (lambda: F.unfold(Tensor(np.zeros((1, 2, 2, 1))), 5, padding=1), "5 x 5 are larger than images of 2 x 2 with 1"),
    (lambda: F.unfold(Tensor(np.zeros((2, 2, 1))), 1), r"expected \(B, H, W, C\)"),
    (lambda: F.unfold(Tensor(np.zeros((1, 2, 2, 1))), 1, stride=0), "stride is 0, expected an integer from 1"),
    (lambda: F.group_norm(Tensor(np.zeros((1, 2, 2, 6))), Tensor(np.ones(6)), Tensor(np.ones(6)), 4),
     "6 channels cannot be cut into 4 groups"),
    (lambda: F.group_norm(Tensor(np.zeros((2, 6))), Tensor(np.ones(6)), Tensor(np.ones(6)), 2), r"expected \(B, H, W"),
])
def test_what_does_not_fit_gets_a_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
