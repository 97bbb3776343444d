"""A Mixer is "a very special CNN" (section 2 of the paper): its layers, written with the ConvNet's own convolution.

The stem is a convolution of kernel and stride P, channel mixing one of kernel 1.  Token mixing is a depth-wise
convolution, one channel at a time, whose filters are as large as the table of patches and the same for all channels.
"""

import numpy as np
import pytest

import minimixer as mm
from minimixer import functional as F
from minimixer import nn
from minimixer.tensor import Tensor

CONFIG = nn.MixerConfig(image_size=12, patch_size=3, hidden_dim=6, num_blocks=2, tokens_mlp_dim=5, channels_mlp_dim=7,
                        num_classes=3)
SIDE = 4            # patches a row, so S = 16


@pytest.fixture
def mixer(rng):
    model = nn.MlpMixer(CONFIG)
    for p in model.parameters():
        p.data = p.data + 0.3 * rng.standard_normal(p.shape)
    return model


def convolution(linear, kernel_size, in_channels, stride=1):
    """The convolution without padding whose filters are the weights of a Linear layer."""
    conv = nn.Convolution(in_channels, linear.bias.size, kernel_size, stride, padding=0)
    assert conv.filters.weight.shape == linear.weight.shape
    conv.filters.weight, conv.filters.bias = linear.weight, linear.bias
    return conv


def mix_tokens(mlp, x):
    """x: (B, 4, 4, C) -> the same shape."""
    b, _, _, c = x.shape
    x = x.transpose(0, 3, 1, 2).reshape(b * c, SIDE, SIDE, 1)               # every channel is a picture of its own
    hidden = F.gelu(convolution(mlp.fc1, SIDE, 1)(x))                       # (B * C, 1, 1, D_S)  D_S full-size filters
    y = convolution(mlp.fc2, 1, CONFIG.tokens_mlp_dim)(hidden)              # (B * C, 1, 1, S)
    return y.reshape(b, c, SIDE, SIDE).transpose(0, 2, 3, 1)                # (B, 4, 4, C)


def mix_channels(mlp, x):
    """x: (B, 4, 4, C) -> the same shape."""
    hidden = F.gelu(convolution(mlp.fc1, 1, CONFIG.hidden_dim)(x))          # (B, 4, 4, D_C)
    return convolution(mlp.fc2, 1, CONFIG.channels_mlp_dim)(hidden)         # (B, 4, 4, C)


def as_convnet(mixer, images):
    """The logits of a Mixer, computed by convolutions."""
    x = convolution(mixer.stem, CONFIG.patch_size, 3, stride=CONFIG.patch_size)(images)         # (B, 4, 4, C)
    for block in mixer.blocks:
        x = x + mix_tokens(block.token_mixing, block.token_norm(x))
        x = x + mix_channels(block.channel_mixing, block.channel_norm(x))
    return mixer.head(mixer.norm(x).mean(axis=(1, 2)))


def test_its_logits_and_gradients_are_a_convnets_to_1e_12(mixer, rng):
    images, labels = Tensor(rng.standard_normal((4, 12, 12, 3)), requires_grad=True), rng.integers(0, 3, 4)
    leaves = [images, *mixer.parameters()]
    ours, convolved = mixer(images), as_convnet(mixer, images)
    assert np.abs(ours.data - convolved.data).max() < 1e-12 * np.abs(ours.data).max()
    for one, other in zip(*(mm.grad(F.cross_entropy(logits, labels), leaves) for logits in (ours, convolved)),
                          strict=True):
        assert np.abs(one - other).max() < 1e-12 * max(1, np.abs(one).max())


def test_filters_with_rows_and_columns_exchanged_are_another_network(mixer, rng):
    images = Tensor(rng.standard_normal((4, 12, 12, 3)))
    before = mixer(images).data
    weight = mixer.blocks[0].token_mixing.fc1.weight
    weight.data = weight.data.reshape(SIDE, SIDE, -1).swapaxes(0, 1).reshape(weight.shape)
    assert np.abs(as_convnet(mixer, images).data - before).max() > 1e-3


def test_token_mixing_is_pytorchs_depth_wise_convolution_with_one_filter_for_all_channels(mixer, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    fc1, c = mixer.blocks[0].token_mixing.fc1, CONFIG.hidden_dim
    x = rng.standard_normal((5, 16, c))                                     # (B, S, C)
    ours = fc1(Tensor(x).swapaxes(1, 2)).data                               # (B, C, D_S)
    filters = torch.tensor(fc1.weight.data.T.copy()).reshape(-1, 1, SIDE, SIDE)         # (D_S, 1, 4, 4)
    pictures = torch.tensor(x.swapaxes(1, 2).copy()).reshape(5, c, SIDE, SIDE)
    theirs = torch.nn.functional.conv2d(pictures, filters.repeat(c, 1, 1, 1), torch.tensor(fc1.bias.data).repeat(c),
                                        groups=c)                           # (B, C * D_S, 1, 1)
    assert np.abs(ours - theirs.reshape(ours.shape).numpy()).max() < 1e-12 * np.abs(ours).max()
