"""A Mixer is "a very special CNN" (section 1 of the paper): its layers, written with the ConvNet's own convolution."""

import numpy as np
import pytest

import minimixer as mm
from minimixer import functional as F
from minimixer import nn
from minimixer.experiments.cnn_identity import as_convnet
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
    images = torch.tensor(x.swapaxes(1, 2).copy()).reshape(5, c, SIDE, SIDE)
    theirs = torch.nn.functional.conv2d(images, filters.repeat(c, 1, 1, 1), torch.tensor(fc1.bias.data).repeat(c),
                                        groups=c)                           # (B, C * D_S, 1, 1)
    assert np.abs(ours - theirs.reshape(ours.shape).numpy()).max() < 1e-12 * np.abs(ours).max()
