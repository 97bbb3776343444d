"""An independent Mixer in Flax, written from equation 1 of the paper and its figure 1.

Its parameters, flattened with "/", are the official layout: a file is written from them without any table of names.
"""

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn
from minimixer.weights import load_official, model_from, save_official

jax = pytest.importorskip("jax", reason="JAX is not installed")
linen = pytest.importorskip("flax.linen", reason="Flax is not installed")
traverse_util = pytest.importorskip("flax.traverse_util")

CONFIG = nn.MixerConfig(image_size=16, patch_size=4, hidden_dim=24, num_blocks=2, tokens_mlp_dim=20,
                        channels_mlp_dim=40, num_classes=7)


class Perceptron(linen.Module):
    hidden: int

    @linen.compact
    def __call__(self, x):
        hidden = linen.gelu(linen.Dense(self.hidden)(x))
        return linen.Dense(x.shape[-1])(hidden)


class MixerBlock(linen.Module):
    tokens: int
    channels: int

    @linen.compact
    def __call__(self, x):                                                              # (B, S, C)
        u = x + Perceptron(self.tokens, name="token_mixing")(linen.LayerNorm()(x).mT).mT
        return u + Perceptron(self.channels, name="channel_mixing")(linen.LayerNorm()(u))


class Mixer(linen.Module):
    config: nn.MixerConfig

    @linen.compact
    def __call__(self, images):                                                         # (B, H, W, 3)
        c = self.config
        patch = (c.patch_size, c.patch_size)
        grid = linen.Conv(c.hidden_dim, patch, strides=patch, name="stem")(images)      # (B, H/P, W/P, C)
        x = grid.reshape(len(images), -1, c.hidden_dim)                                 # (B, S, C)
        for _ in range(c.num_blocks):
            x = MixerBlock(c.tokens_mlp_dim, c.channels_mlp_dim)(x)
        pooled = linen.LayerNorm(name="pre_head_layer_norm")(x).mean(1)                 # (B, C)
        return linen.Dense(c.num_classes, name="head")(pooled)


def random_parameters(config, rng, dtype):
    """Random weights for Flax's own names and shapes: one flat dict with "/" in its names."""
    image = np.zeros((1, config.image_size, config.image_size, config.in_channels), np.float32)
    tree = jax.eval_shape(Mixer(config).init, jax.random.key(0), image)["params"]
    scale = {"kernel": 0.2, "bias": 0.1, "scale": 0.5}
    return {name: (scale[name.split("/")[-1]] * rng.standard_normal(a.shape)).astype(dtype)
            for name, a in traverse_util.flatten_dict(tree, sep="/").items()}


def logits_and_gradients(config, flat, images, labels):
    """Of the mean cross-entropy, by JAX; the gradients by name."""
    def loss(tree):
        logits = Mixer(config).apply({"params": tree}, images)
        picked = jax.nn.log_softmax(logits)[np.arange(len(labels)), labels]
        return -picked.mean(), logits

    tree = traverse_util.unflatten_dict(flat, sep="/")
    (_, logits), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(tree)
    return np.asarray(logits), {n: np.asarray(g) for n, g in traverse_util.flatten_dict(gradients, sep="/").items()}


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-4), (np.float64, 1e-10)])
def test_logits_and_gradients_agree(dtype, tolerance, tmp_path, rng):
    images = rng.standard_normal((5, 16, 16, 3)).astype(dtype)
    labels = rng.integers(0, 7, 5)
    with jax.enable_x64(dtype == np.float64):
        flat = random_parameters(CONFIG, rng, dtype)
        np.savez(tmp_path / "theirs.npz", **flat)
        expected, their_gradients = logits_and_gradients(CONFIG, flat, images, labels)
    assert expected.dtype == dtype

    ours, report = model_from(tmp_path / "theirs.npz")
    assert ours.config == CONFIG
    assert {m.theirs for m in report.mapped} == set(flat)
    assert (report.missing, report.unused, report.notes) == ((), (), ())
    for p in ours.parameters():
        p.data = p.data.astype(dtype)
    load_official(ours, tmp_path / "theirs.npz")
    logits = ours(mm.Tensor(images))
    gradients = mm.grad(mm.functional.cross_entropy(logits, labels), ours.parameters())
    assert np.abs(logits.data - expected).max() < tolerance * np.abs(expected).max()

    # Gradients take the same names as weights: written by us into the official layout, they are Flax's.
    for p, gradient in zip(ours.parameters(), gradients, strict=True):
        p.data = gradient
    save_official(ours, tmp_path / "gradients.npz")
    # Those of token_mixing/Dense_1/bias are zero but for rounding: a number that is added to all channels of a patch
    # is taken away again by every LayerNorm behind it.  So there is a floor below which nothing is compared.
    floor = 1e-3 * max(np.abs(g).max() for g in their_gradients.values())
    with np.load(tmp_path / "gradients.npz", allow_pickle=False) as npz:
        assert set(npz.files) == set(their_gradients)
        for name, expected in their_gradients.items():
            assert npz[name].dtype == dtype
            assert np.abs(npz[name] - expected).max() < tolerance * max(floor, np.abs(expected).max()), name


def test_the_way_back_is_exact(tmp_path, rng):
    flat = random_parameters(CONFIG, rng, np.float32)
    np.savez(tmp_path / "theirs.npz", **flat)
    ours, _ = model_from(tmp_path / "theirs.npz")
    save_official(ours, tmp_path / "back.npz")
    with np.load(tmp_path / "back.npz", allow_pickle=False) as back:
        assert set(back.files) == set(flat)
        for name, array in flat.items():
            assert back[name].tobytes() == array.tobytes()
            assert back[name].shape == array.shape


def test_a_file_for_224_pixels_answers_at_448_as_flax_answers_to_the_parts(tmp_path, rng):
    # The paper's rule at the paper's resolution: S = 196 patches of 16 pixels, then 784.
    config = nn.MixerConfig(image_size=224, patch_size=16, hidden_dim=16, num_blocks=2, tokens_mlp_dim=24,
                            channels_mlp_dim=32, num_classes=7)
    flat = random_parameters(config, rng, np.float32)
    np.savez(tmp_path / "224.npz", **flat)
    ours, _ = model_from(tmp_path / "224.npz", image_size=448)
    image = rng.standard_normal((1, 448, 448, 3)).astype(np.float32)
    parts = np.concatenate([image[:, i:i + 224, j:j + 224] for i in (0, 224) for j in (0, 224)])
    tree = traverse_util.unflatten_dict(flat, sep="/")
    with jax.enable_x64(False):
        expected = np.asarray(jax.jit(Mixer(config).apply)({"params": tree}, parts))        # (4, 7)
    logits = ours(mm.Tensor(image)).data                                              # (1, 7)
    assert np.abs(logits - expected.mean(0)).max() < 1e-4 * np.abs(expected).max()
    tiled = ours(mm.Tensor(np.tile(parts[:1], (1, 2, 2, 1)))).data
    assert np.abs(tiled - expected[0]).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(logits - expected[0]).max() > 1e-2 * np.abs(expected).max()
