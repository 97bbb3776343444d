"""The ViT against an independent one in PyTorch, and what makes it one."""

import contextlib

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn
from minimixer.tensor import Tensor

TINY = nn.ViTConfig(image_size=8, patch_size=4, hidden_dim=6, num_blocks=2, num_heads=3, mlp_dim=7, num_classes=3)


def randomized(model, rng, dtype=np.float64):
    for p in model.parameters():
        p.data = (p.data + 0.3 * rng.standard_normal(p.shape)).astype(dtype)
    return model


@pytest.mark.parametrize("gelu", ["tanh", "erf"])
@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_logits_and_every_gradient_agree_with_pytorch_to_1e_10(gelu, kernels, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    F = torch.nn.functional
    config = nn.ViTConfig(image_size=16, patch_size=4, hidden_dim=24, num_blocks=3, num_heads=4, mlp_dim=40,
                          num_classes=7, gelu=gelu)
    model = randomized(nn.VisionTransformer(config), rng)
    images, labels = rng.standard_normal((5, 16, 16, 3)), rng.integers(0, 7, 5)
    theirs = {name: torch.tensor(p.data, requires_grad=True) for name, p in model.named_parameters()}

    def linear(x, name):
        return F.linear(x, theirs[f"{name}.weight"].T, theirs[f"{name}.bias"])

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], theirs[f"{name}.weight"], theirs[f"{name}.bias"], eps=1e-6)

    kernel = theirs["stem.weight"].reshape(4, 4, 3, 24).permute(3, 2, 0, 1)
    x = F.conv2d(torch.tensor(images).permute(0, 3, 1, 2), kernel, theirs["stem.bias"], stride=4)
    x = x.flatten(2).mT + theirs["position"]                            # (B, S, C)
    for block in (f"blocks.{i}" for i in range(3)):
        y = norm(x, f"{block}.attention_norm")
        q, k, v = (linear(y, f"{block}.attention.{name}").unflatten(-1, (4, 6)).transpose(1, 2)
                   for name in ("query", "key", "value"))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + linear(y, f"{block}.attention.out")
        y = linear(norm(x, f"{block}.mlp_norm"), f"{block}.mlp.fc1")
        x = x + linear(F.gelu(y, approximate={"tanh": "tanh", "erf": "none"}[gelu]), f"{block}.mlp.fc2")
    expected = linear(norm(x, "norm").mean(1), "head")
    F.cross_entropy(expected, torch.tensor(labels)).backward()

    with mm.reference_kernels() if kernels == "reference" else contextlib.nullcontext():
        logits = model(Tensor(images))
        gradients = mm.grad(mm.functional.cross_entropy(logits, labels), model.parameters())
    assert np.abs(logits.data - expected.detach().numpy()).max() < 1e-10
    for (name, twin), gradient in zip(theirs.items(), gradients, strict=True):
        assert np.abs(gradient - twin.grad.numpy()).max() < 1e-10 * max(1, twin.grad.abs().max()), name


def test_the_gradient_of_the_images_passes_gradcheck(rng, device):
    model = randomized(nn.VisionTransformer(TINY), rng).to(device)
    labels = mm.backend.to_device(np.array([2, 0]), device)
    report = mm.gradcheck(lambda images: mm.functional.cross_entropy(model(images), labels),
                          rng.standard_normal((2, 8, 8, 3)), device=device)
    assert report.ok, f"\n{report}"


def shuffled(images, order):
    """The four patches of images of 8 x 8 in another order."""
    tiles = images.reshape(-1, 2, 4, 2, 4, 3).swapaxes(2, 3).reshape(-1, 4, 4, 4, 3)[:, order]
    return tiles.reshape(-1, 2, 2, 4, 4, 3).swapaxes(2, 3).reshape(images.shape)


def test_without_position_embeddings_the_order_of_the_patches_does_not_matter(rng):
    model = randomized(nn.VisionTransformer(TINY), rng)
    images = rng.standard_normal((4, 8, 8, 3))
    other = shuffled(images, [2, 0, 3, 1])
    assert not np.allclose(model(Tensor(images)).data, model(Tensor(other)).data, atol=1e-3)
    model.position.data[...] = 0
    assert np.allclose(model(Tensor(images)).data, model(Tensor(other)).data, atol=1e-12)


def test_dropout_and_stochastic_depth_act_in_training_only(rng):
    config = nn.ViTConfig(**{**vars(TINY), "dropout": 0.5, "stochastic_depth": 0.5})
    model, plain = nn.VisionTransformer(config), nn.VisionTransformer(TINY)
    for one in (model, plain):
        one.load_state_dict(randomized(nn.VisionTransformer(TINY), np.random.default_rng(1)).state_dict())
    images = Tensor(rng.standard_normal((6, 8, 8, 3)).astype(np.float32))
    with nn.draw_from(np.random.default_rng(0)):
        assert not np.allclose(model(images).data, plain(images).data, atol=1e-3)
    assert np.allclose(model.eval()(images).data, plain(images).data, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_and_none_gives_none():
    one, two, other = (nn.VisionTransformer(TINY, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a.data, b.data) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not np.array_equal(one.position.data, other.position.data)
    assert one.position.dtype == np.float32
    assert not nn.VisionTransformer(TINY, None).position.data.any()
    assert 0.015 < nn.build("vit-micro").position.data.std() < 0.025


def test_print_shows_every_step_with_its_shape(rng):
    model = nn.VisionTransformer(TINY)
    s, c = TINY.num_patches, TINY.hidden_dim
    rows = list(model.blocks[0].summary_rows(s, c))
    assert sum(parameters for _, _, parameters in rows) == model.blocks[0].num_parameters()
    assert ("B", 3, 4, 4) in [shape for _, shape, _ in rows]
    text = repr(model)
    assert text.startswith(f"VisionTransformer: {model.num_parameters():,} parameters")
    assert "blocks.0 to blocks.1, each:" in text
    assert "x = x + position" in text


@pytest.mark.parametrize(("make", "message"), [
    (lambda: nn.ViTConfig(hidden_dim=10, num_heads=4), "10 channels cannot be split among 4 heads: change num_heads"),
    (lambda: nn.ViTConfig(image_size=30), "4 pixels do not tile an image of 30"),
    (lambda: nn.ViTConfig(mlp_dim=0), "mlp_dim is 0, expected a positive number"),
    (lambda: nn.VisionTransformer(TINY)(Tensor(np.zeros((1, 4, 4, 3)))), r"\(B, 8, 8, 3\): there are position"),
])
def test_sizes_that_do_not_fit_get_a_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
