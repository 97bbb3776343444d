"""All models by name: their sizes, and what the shards ask of them."""

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn, tensor
from minimixer.backend import to_device, to_numpy
from minimixer.parallel import ShardedModel, Workers
from minimixer.tensor import Tensor


@pytest.mark.parametrize(("name", "parameters"), [
    ("vit-pico", 86_754), ("vit-nano", 488_506), ("vit-micro", 1_125_194), ("vit-tiny", 2_474_122),
    ("vit-small", 4_347_338), ("convnet-pico", 93_610), ("convnet-nano", 467_946), ("convnet-micro", 1_085_770),
    ("convnet-tiny", 2_438_122), ("convnet-small", 4_330_122)])
def test_the_three_kinds_have_about_as_many_parameters(name, parameters):
    size = name.split("-")[1]
    assert nn.build(name, seed=None).num_parameters() == parameters
    assert parameters == pytest.approx(nn.build(size, seed=None).num_parameters(), rel=0.07)


@pytest.mark.parametrize("name", ["pico", "nano", "vit-pico", "vit-nano", "convnet-pico", "convnet-nano"])
def test_widest_array_is_the_largest_that_forward_makes(name, monkeypatch, rng):
    sizes, apply = [], tensor.apply

    def watch(*arguments, **options):
        y = apply(*arguments, **options)
        sizes.append(y.size)
        return y

    functional = mm.functional
    for module in (tensor, functional.layers, functional.images, functional.losses, functional.elementwise):
        monkeypatch.setattr(module, "apply", watch)
    model = nn.build(name)
    model(Tensor(rng.standard_normal((2, 32, 32, 3), np.float32)))
    assert max(sizes) == 2 * model.config.widest_array


@pytest.mark.parametrize("name", ["pico", "vit-pico", "convnet-pico"])
def test_sharded_gradients_do_not_depend_on_the_workers_and_are_those_of_the_whole_batch(name, rng):
    images, labels = rng.integers(0, 256, (40, 16, 16, 3), np.uint8), rng.integers(0, 10, 40)
    targets = 0.6 * np.eye(10, dtype=np.float32)[labels] + 0.4 * np.eye(10, dtype=np.float32)[np.roll(labels, 1)]
    model = nn.build(name, image_size=16)
    for p in model.parameters():
        p.data += 0.05 * rng.standard_normal(p.shape).astype(np.float32)
    results = []
    for count in (1, 2):
        with Workers(count) as workers:
            results.append(ShardedModel(model, workers, np.zeros(3, np.float32), np.ones(3, np.float32))
                           .gradients(images, targets, 0))
    logits = model(Tensor(images.astype(np.float32) / 255))
    whole = mm.functional.cross_entropy(logits, targets)
    assert results[0][0] == results[1][0] == pytest.approx(whole.item(), rel=1e-5)
    assert results[0][1] == results[1][1] == (logits.data.argmax(1) == labels).sum()
    expected = mm.grad(whole, model.parameters())
    largest = max(np.abs(g).max() for g in expected)            # a ReLU at its kink may turn with the rounding
    for one, two, g in zip(results[0][2], results[1][2], expected, strict=True):
        assert np.array_equal(one, two)
        assert np.abs(one - g).max() < 1e-3 * largest


def test_build_changes_fields_and_refuses_unknown_ones():
    assert nn.build("convnet-micro", num_classes=100).head.weight.shape == (128, 100)
    assert nn.build("vit-nano", image_size=8, patch_size=2, in_channels=1).config.num_patches == 16
    assert nn.build("B/16", seed=None).num_parameters() == 59_880_472
    with pytest.raises(ValueError, match="no model is called 'vit-huge': expected one of S/32"):
        nn.build("vit-huge")
    with pytest.raises(ValueError, match="convnet-nano has no patch_size: its fields are image_size"):
        nn.build("convnet-nano", patch_size=2)


@pytest.mark.parametrize("name", ["pico", "vit-pico", "convnet-pico"])
def test_no_images_give_no_logits_and_no_gradient(name, device):
    model = nn.build(name).to(device)
    logits = model(Tensor(to_device(np.zeros((0, 32, 32, 3), np.float32), device)))
    assert logits.shape == (0, 10)
    for gradient in mm.grad(logits.sum(), model.parameters()):
        assert not to_numpy(gradient).any()
