"""The layers of networks that students write; tests/ops/test_against_pytorch.py compares their numbers."""

import numpy as np
import pytest

import minimixer as mm
from minimixer import functional as F
from minimixer import nn
from minimixer.backend import to_device
from minimixer.errors import MinimixerError
from minimixer.parallel import ShardedModel, Workers
from minimixer.tensor import Tensor
from minimixer.train import checkpoint


def zeros(*shape, dtype=np.float32):
    return Tensor(np.zeros(shape, dtype))


def test_seed_makes_the_weights_of_layers_the_same_again():
    weights = []
    for _ in range(2):
        nn.seed(3)
        weights.append([nn.Linear(3, 2).weight.data, nn.Embedding(4, 2).weight.data,
                        nn.Conv2d(4, 4, 3, groups=2).filters.weight.data])
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert not np.array_equal(nn.Linear(3, 2).weight.data, nn.Linear(3, 2).weight.data)


def test_conv2d_says_what_it_is():
    assert repr(nn.Conv2d(3, 8, 3)) == "Conv2d 3x3, 3 -> 8"
    assert repr(nn.Conv2d(8, 8, (1, 3), 2, groups=8)) == "Conv2d 1x3/2, 8 -> 8 in 8 groups"
    assert repr(nn.Conv2d(4, 6, 3, (2, 1), groups=2)) == "Conv2d 3x3/2x1, 4 -> 6 in 2 groups"
    assert [repr(layer) for layer in (nn.MaxPool2d(2), nn.AvgPool2d((2, 3), 1), nn.Flatten(), nn.Embedding(5, 2),
                                      nn.BatchNorm(3), nn.Tanh(), nn.Sigmoid())] == [
        "MaxPool2d 2x2", "AvgPool2d 2x3/1x1", "Flatten", "Embedding 5 x 2", "BatchNorm 3", "Tanh", "Sigmoid"]


@pytest.mark.parametrize("make", [
    lambda bias: nn.Linear(4, 6, bias=bias), lambda bias: nn.Conv2d(4, 6, 3, bias=bias),
    lambda bias: nn.Conv2d(4, 6, 3, groups=2, bias=bias)])
def test_a_layer_without_a_bias_computes_as_one_whose_bias_is_zero(make, rng):
    with_zero, without = make(True), make(False)
    without.parameters()[0].data = with_zero.parameters()[0].data
    x = Tensor(rng.standard_normal((2, 5, 5, 4)).astype(np.float32))
    assert len(without.parameters()) == 1
    assert repr(without) == f"{with_zero!r}, no bias"
    assert np.allclose(with_zero(x).data, without(x).data, atol=1e-6)
    gradients = [mm.grad((layer(x) ** 2).sum(), layer.parameters())[0] for layer in (with_zero, without)]
    assert np.allclose(*gradients, rtol=1e-4, atol=1e-4)


def test_images_keep_their_size_by_default_and_an_empty_batch_stays_empty(device):
    for layer in (nn.Conv2d(4, 4, (3, 5)), nn.Conv2d(4, 4, (3, 5), groups=4)):
        for images in (2, 0):
            x = Tensor(to_device(np.ones((images, 6, 7, 4), np.float32), device))
            assert layer.to(device)(x).shape == (images, 6, 7, 4)


def test_the_layers_work_on_every_device(device, rng):
    x = rng.standard_normal((3, 6, 5, 4)).astype(np.float32)
    model = nn.Sequential(nn.Conv2d(4, 8, (3, 1), groups=2), nn.BatchNorm(8), nn.Sigmoid(), nn.MaxPool2d(2),
                          nn.AvgPool2d(3, 1, 1), nn.Flatten(), nn.Linear(48, 2))
    results = []
    for place in ("cpu", device):
        loss = (model.to(place)(Tensor(to_device(x, place))) ** 2).sum()
        results.append([loss.item(), *(mm.backend.to_numpy(g) for g in mm.grad(loss, model.parameters()))])
    for here, there in zip(*results, strict=True):
        assert np.allclose(here, there, rtol=1e-4, atol=1e-5)
    embedding, ids = nn.Embedding(5, 3), np.array([[0, 4], [4, 1]])
    here = embedding(ids).numpy()
    assert np.array_equal(embedding.to(device)(Tensor(to_device(ids, device))).numpy(), here)


def test_batch_norm_normalizes_the_batch_and_then_by_its_averages(rng):
    norm = nn.BatchNorm(3, momentum=0.5)
    x = Tensor((5 + 2 * rng.standard_normal((200, 3))).astype(np.float32))
    y = norm(x).data
    assert np.allclose(y.mean(0), 0, atol=1e-5)
    assert np.allclose(y.std(0), 1, atol=1e-3)
    assert np.allclose(norm.running_mean.data, 0.5 * x.data.mean(0), rtol=1e-5)
    before = norm.running_var.data.copy()
    one = norm.eval()(x[:1])                        # one image is enough now, and changes nothing
    assert np.allclose(one.data, (x.data[:1] - norm.running_mean.data) / np.sqrt(before + 1e-5), rtol=1e-4)
    assert np.array_equal(norm.running_var.data, before)


def test_batch_norm_is_saved_with_its_averages_and_passes_gradcheck(rng, tmp_path):
    norm, other, third = (nn.BatchNorm(3) for _ in range(3))
    norm(Tensor(rng.standard_normal((9, 3)).astype(np.float32)))
    other.load_state_dict(norm.state_dict())
    checkpoint.save(tmp_path / "a.safetensors", norm, mm.optim.SGD(norm, 0.1), {})
    checkpoint.load(tmp_path / "a.safetensors", third, mm.optim.SGD(third, 0.1))
    assert np.array_equal(third.running_mean.data, norm.running_mean.data)
    assert list(norm.state_dict()) == ["weight", "bias", "running_mean", "running_var"]
    assert np.array_equal(other.running_var.data, norm.running_var.data)
    assert [name for name, _ in norm.named_parameters()] == ["weight", "bias"]

    def normalize(x, weight, bias):
        return F.batch_norm(x, x.mean((0, 1, 2)), x.var((0, 1, 2)), weight, bias)

    arrays = rng.standard_normal((2, 3, 2, 3)), rng.standard_normal(3), rng.standard_normal(3)
    assert mm.gradcheck(normalize, *arrays)
    assert not mm.gradcheck(lambda x, w, b: normalize(x, w, b) + 0.01 * (x - x.detach()), *arrays)


class Small(nn.Model):
    def __init__(self, layer):
        self.config = nn.MIXERS["pico"]
        self.layer, self.head = layer, nn.Linear(3, 10)

    def forward(self, images):
        return self.head(self.layer(images).mean((1, 2)))


def test_batch_norm_is_refused_in_sharded_training_and_not_in_prediction(rng):
    images, labels = rng.integers(0, 256, (8, 4, 4, 3), np.uint8), rng.integers(0, 10, 8)
    one = np.full(3, 0.5, np.float32)
    with Workers(1) as workers:
        model = ShardedModel(Small(nn.BatchNorm(3)), workers, one, one)
        with pytest.raises(MinimixerError, match="BatchNorm needs the whole batch, and this training computes it"):
            model.gradients(images, labels, 0)
        assert model.predict(images).shape == (8, 10)
        assert len(ShardedModel(Small(nn.GroupNorm(3, 1)), workers, one, one).gradients(images, labels, 0)[2]) == 4


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: nn.BatchNorm(3)(zeros(1, 3)), ValueError, r"shape \(1, 3\), which is 1 numbers per channel, too few"),
    (lambda: nn.BatchNorm(3)(zeros(0, 3)), ValueError, "which is 0 numbers per channel"),
    (lambda: nn.BatchNorm(3)(zeros(4, 2)), ValueError, r"batch_norm: x has shape \(4, 2\), weight \(3,\), expected"),
    (lambda: nn.BatchNorm(3)(zeros(4, 3, dtype=np.float64)), TypeError, "batch_norm: x is float64, weight float32"),
    (lambda: nn.Embedding(3, 2)(np.array([0, 3])), ValueError, r"embedding: id 3 has no row, expected 0\.\.2"),
    (lambda: nn.Embedding(3, 2)(np.array([-1])), ValueError, "id -1 has no row"),
    (lambda: nn.Embedding(3, 2)(np.array([0.5])), TypeError, "embedding: ids are float64, expected integers"),
    (lambda: F.embedding(np.array([0]), zeros(3)), ValueError, r"weight has shape \(3,\), expected \(N, C\)"),
    (lambda: F.max_pool2d(zeros(4, 4, 1), 2), ValueError, r"max_pool2d: images have shape .*expected \(B, H, W, C\)"),
    (lambda: F.max_pool2d(zeros(1, 4, 4, 1), 5), ValueError, "windows of 5 x 5 are larger than images of 4 x 4"),
    (lambda: F.max_pool2d(zeros(1, 4, 4, 1), 2, padding=2), ValueError, "padding is 2, expected at most half"),
    (lambda: F.avg_pool2d(zeros(1, 4, 4, 1), (1, 2, 3)), ValueError, "kernel_size is .*expected an integer from 1, or"),
    (lambda: F.avg_pool2d(zeros(1, 4, 4, 1), 2.0), ValueError, "kernel_size is 2.0, expected an integer"),
    (lambda: F.max_pool2d(zeros(1, 4, 4, 1, dtype=int), 2), TypeError, "images are int64, expected floating-point"),
    (lambda: nn.MaxPool2d(0), ValueError, "MaxPool2d: kernel_size is 0"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "3 channels in and 4 out cannot be cut into 2 groups"),
    (lambda: nn.Conv2d(3, 4, 3)(zeros(1, 8, 8, 4)), ValueError, r"shape \(1, 8, 8, 4\), expected \(B, H, W, 3\)$"),
    (lambda: nn.Conv2d(4, 4, 3, groups=2)(zeros(1, 4, 8, 8)), ValueError, "their channels come first"),
    (lambda: nn.Conv2d(3, 4, 3, padding=-1), ValueError, "Conv2d: padding is -1, expected an integer from 0"),
])
def test_what_does_not_fit_gets_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()
