"""An independent Mixer in PyTorch, written from equation 1 of the paper: logits and every gradient, in float64."""

import contextlib

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
tn = torch.nn


class Mlp(tn.Sequential):
    def __init__(self, dim, hidden, approximate):
        super().__init__(tn.Linear(dim, hidden), tn.GELU(approximate=approximate), tn.Linear(hidden, dim))


class Block(tn.Module):
    def __init__(self, c, approximate):
        super().__init__()
        self.token_norm, self.channel_norm = tn.LayerNorm(c.hidden_dim, eps=1e-6), tn.LayerNorm(c.hidden_dim, eps=1e-6)
        self.token_mixing = Mlp(c.num_patches, c.tokens_mlp_dim, approximate)
        self.channel_mixing = Mlp(c.hidden_dim, c.channels_mlp_dim, approximate)

    def forward(self, x):
        x = x + self.token_mixing(self.token_norm(x).mT).mT
        return x + self.channel_mixing(self.channel_norm(x))


class Mixer(tn.Module):
    def __init__(self, c):
        super().__init__()
        approximate = {"tanh": "tanh", "erf": "none"}[c.gelu]
        self.stem = tn.Conv2d(c.in_channels, c.hidden_dim, c.patch_size, stride=c.patch_size)
        self.blocks = tn.ModuleList([Block(c, approximate) for _ in range(c.num_blocks)])
        self.norm = tn.LayerNorm(c.hidden_dim, eps=1e-6)
        self.head = tn.Linear(c.hidden_dim, c.num_classes)

    def forward(self, images):                                          # (B, H, W, 3)
        x = self.stem(images.permute(0, 3, 1, 2))                       # (B, C, H/P, W/P)
        x = x.flatten(2).mT                                             # (B, S, C)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


def to_theirs(name, array, config):
    """Our array as their parameter: (in, out) becomes (out, in), the stem's matrix a convolution's kernel."""
    if name == "stem.weight":
        p = config.patch_size
        return array.reshape(p, p, config.in_channels, -1).transpose(3, 2, 0, 1)
    return array.T


@pytest.mark.parametrize("gelu", ["tanh", "erf"])
@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_logits_and_every_gradient_agree_to_1e_10(gelu, kernels, rng):
    config = nn.MixerConfig(image_size=16, patch_size=4, hidden_dim=24, num_blocks=3, tokens_mlp_dim=20,
                            channels_mlp_dim=40, num_classes=7, gelu=gelu)
    ours, theirs = nn.MlpMixer(config), Mixer(config).double()
    for p in ours.parameters():
        p.data = p.data.astype(np.float64) + 0.1 * rng.standard_normal(p.shape)
    twins = dict(theirs.named_parameters())
    their_name = {name: name.replace("fc1", "0").replace("fc2", "2") for name, _ in ours.named_parameters()}
    assert sorted(their_name.values()) == sorted(twins)
    with torch.no_grad():
        for name, p in ours.named_parameters():
            twins[their_name[name]].copy_(torch.tensor(to_theirs(name, p.data, config).copy()))
    images, labels = rng.standard_normal((5, 16, 16, 3)), rng.integers(0, 7, 5)

    context = mm.reference_kernels() if kernels == "reference" else contextlib.nullcontext()
    with context:
        logits = ours(mm.Tensor(images))
        gradients = mm.grad(mm.functional.cross_entropy(logits, labels, label_smoothing=0.1), ours.parameters())
    their_logits = theirs(torch.tensor(images))
    tn.functional.cross_entropy(their_logits, torch.tensor(labels), label_smoothing=0.1).backward()

    assert np.abs(logits.data - their_logits.detach().numpy()).max() < 1e-10
    for (name, _), gradient in zip(ours.named_parameters(), gradients, strict=True):
        expected = twins[their_name[name]].grad.numpy()
        assert np.abs(to_theirs(name, gradient, config) - expected).max() < 1e-10 * max(1, np.abs(expected).max()), name
