"""MLP-Mixer (Tolstikhin et al. 2021, arXiv 2105.01601), with the names of the official code.

B pictures, S patches (tokens), C channels, P patch size.  Two MLPs take turns: one mixes the S patches of every
channel, the other the C channels of every patch.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minimixer import functional as F
from minimixer.nn.layers import Dropout, Gelu, LayerNorm, Linear, StochasticDepth
from minimixer.nn.model import Model, check_images, check_positive, check_tiling
from minimixer.nn.module import Module
from minimixer.nn.pretrained import read_pretrained
from minimixer.nn.random import Initializer, lecun_normal, zeros
from minimixer.tensor import Tensor


@dataclass(frozen=True)
class MixerConfig:
    """The sizes of a Mixer.

    Attributes
    ----------
    image_size, patch_size : int
        Side of a picture and of a patch in pixels; patch_size divides image_size.
    hidden_dim : int
        C, channels of a patch.
    num_blocks : int
        Mixer blocks.
    tokens_mlp_dim, channels_mlp_dim : int
        D_S and D_C, hidden units of the token-mixing and of the channel-mixing MLP.
    num_classes : int
    in_channels : int
        Colours of a pixel.
    gelu : "tanh" or "erf"
        The official form, or timm's.
    dropout : float
        Rate behind every GELU and every second Linear of an MLP; the paper's models use 0.
    stochastic_depth : float
        Rate of the last block; it grows linearly from 0 at the first.

    Raises
    ------
    ValueError
        If a size is not positive, or the patches do not tile the picture.
    """

    image_size: int = 224
    patch_size: int = 16
    hidden_dim: int = 768
    num_blocks: int = 12
    tokens_mlp_dim: int = 384
    channels_mlp_dim: int = 3072
    num_classes: int = 1000
    in_channels: int = 3
    gelu: F.GeluForm = "tanh"
    dropout: float = 0.0
    stochastic_depth: float = 0.0

    def __post_init__(self) -> None:
        check_positive(self)
        check_tiling(self.image_size, self.patch_size)

    @property
    def num_patches(self) -> int:
        """S = (image_size / patch_size) squared."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def widest_array(self) -> int:
        """Elements a picture of the largest array: the hidden units of one of the two MLPs."""
        return max(self.num_patches * self.channels_mlp_dim, self.hidden_dim * self.tokens_mlp_dim)


class MlpBlock(Module):
    """Two Linear layers with a GELU between them.  x: (..., dim) -> the same shape."""

    def __init__(self, dim: int, hidden_dim: int, *, gelu: F.GeluForm = "tanh", dropout: float = 0.0,
                 init: Initializer | None = None):
        self.fc1 = Linear(dim, hidden_dim, init)
        self.gelu = Gelu(gelu)
        self.fc2 = Linear(hidden_dim, dim, init)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) -> the same shape."""
        hidden = self.dropout(self.gelu(self.fc1(x)))       # (..., hidden_dim)
        return self.dropout(self.fc2(hidden))               # (..., dim)


class MixerBlock(Module):
    """Equation 1 of the paper: mix the patches of every channel, then the channels of every patch.  x: (B, S, C)."""

    def __init__(self, config: MixerConfig, drop_branch: float = 0.0, init: Initializer | None = None):
        options: dict[str, Any] = {"gelu": config.gelu, "dropout": config.dropout, "init": init}
        self.token_norm = LayerNorm(config.hidden_dim)
        self.token_mixing = MlpBlock(config.num_patches, config.tokens_mlp_dim, **options)
        self.channel_norm = LayerNorm(config.hidden_dim)
        self.channel_mixing = MlpBlock(config.hidden_dim, config.channels_mlp_dim, **options)
        self.drop_branch = StochasticDepth(drop_branch)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, S, C) -> the same shape."""
        y = self.token_norm(x).swapaxes(1, 2)                   # (B, C, S)  patches become the features
        y = self.token_mixing(y).swapaxes(1, 2)                 # (B, S, C)  the same MLP for every channel
        x = x + self.drop_branch(y)
        y = self.channel_mixing(self.channel_norm(x))           # (B, S, C)  the same MLP for every patch
        return x + self.drop_branch(y)


class MlpMixer(Model):
    """The whole Mixer.  images: (B, H, W, in_channels) -> logits: (B, num_classes).

    Parameters
    ----------
    config : MixerConfig
    seed : int or None
        Of the initial weights: truncated lecun-normal, biases and head zero.  None leaves every weight matrix zero
        (and untouched in memory), for weights that will be loaded.
    """

    def __init__(self, config: MixerConfig, seed: int | None = 0):
        init = zeros if seed is None else lecun_normal(np.random.default_rng(seed))
        self.config = config
        self.stem = Linear(config.patch_size**2 * config.in_channels, config.hidden_dim, init)
        rates = np.linspace(0, config.stochastic_depth, config.num_blocks).tolist()
        self.blocks = [MixerBlock(config, rate, init) for rate in rates]
        self.norm = LayerNorm(config.hidden_dim)
        self.head = Linear(config.hidden_dim, config.num_classes, zeros)

    def forward(self, images: Tensor) -> Tensor:
        """images: (B, H, W, in_channels) float -> logits: (B, num_classes).  Raises ValueError for another size."""
        check_images(images, self.config, "token mixing has weights")
        x = F.patches(images, self.config.patch_size)           # (B, S, P * P * in_channels)
        x = self.stem(x)                                        # (B, S, C)  a convolution of kernel and stride P
        for block in self.blocks:
            x = block(x)                                        # (B, S, C)
        x = self.norm(x).mean(axis=1)                           # (B, C)  the average patch
        return self.head(x)                                     # (B, num_classes)


_S = MixerConfig(hidden_dim=512, num_blocks=8, tokens_mlp_dim=256, channels_mlp_dim=2048)
_B = MixerConfig(hidden_dim=768, num_blocks=12, tokens_mlp_dim=384, channels_mlp_dim=3072)
_L = MixerConfig(hidden_dim=1024, num_blocks=24, tokens_mlp_dim=512, channels_mlp_dim=4096)
_H = MixerConfig(hidden_dim=1280, num_blocks=32, tokens_mlp_dim=640, channels_mlp_dim=5120)
_SMALL = MixerConfig(image_size=32, patch_size=4, num_classes=10)

VARIANTS: dict[str, MixerConfig] = {
    # Table 1 of the paper
    "S/32": replace(_S, patch_size=32), "S/16": replace(_S, patch_size=16),
    "B/32": replace(_B, patch_size=32), "B/16": replace(_B, patch_size=16),
    "L/32": replace(_L, patch_size=32), "L/16": replace(_L, patch_size=16),
    "H/14": replace(_H, patch_size=14),
    # scaled down, for pictures of 32 x 32 pixels
    "pico": replace(_SMALL, hidden_dim=64, num_blocks=4, tokens_mlp_dim=32, channels_mlp_dim=128),
    "nano": replace(_SMALL, hidden_dim=96, num_blocks=6, tokens_mlp_dim=48, channels_mlp_dim=384),
    "micro": replace(_SMALL, hidden_dim=128, num_blocks=8, tokens_mlp_dim=64, channels_mlp_dim=512),
    "tiny": replace(_SMALL, hidden_dim=192, num_blocks=8, tokens_mlp_dim=96, channels_mlp_dim=768),
    "small": replace(_SMALL, hidden_dim=256, num_blocks=8, tokens_mlp_dim=128, channels_mlp_dim=1024),
}


def mixer(name: str, seed: int | None = 0, *, pretrained: str | None = None, **changes: Any) -> MlpMixer:
    """Build a Mixer by name: one of the paper's (``"B/16"``, ...) or of the scaled-down ones (``"micro"``, ...).

    Parameters
    ----------
    name : str
        A key of ``nn.VARIANTS``.
    seed : int or None
        As for ``MlpMixer``.
    pretrained : str, optional
        The data that it was trained on, ``"cifar10"``, for weights that come with the package; ``nn.shipped()`` lists
        them.  They expect normalized pictures: ``train.load_run("cifar10-micro")`` takes them as they are.
    **changes
        Fields of ``MixerConfig`` to replace, such as ``num_classes=100``.

    Raises
    ------
    ValueError
        If the name is unknown, the changed sizes do not fit, or there are no such trained weights.
    """
    if name not in VARIANTS:
        raise ValueError(f"no Mixer is called {name!r}: expected one of {', '.join(VARIANTS)}")
    if unknown := sorted(changes.keys() - vars(VARIANTS[name]).keys()):
        raise ValueError(f"a Mixer has no {unknown[0]}: what can be changed are {', '.join(vars(VARIANTS[name]))}")
    if pretrained is None:
        return MlpMixer(replace(VARIANTS[name], **changes), seed)
    sizes, state = read_pretrained(name, pretrained)
    for field in changes.keys() & sizes.keys() - {"dropout", "stochastic_depth"}:
        if changes[field] != sizes[field]:
            raise ValueError(f"the weights of {name!r} pretrained on {pretrained!r} are for {field} {sizes[field]}, "
                             f"not {changes[field]}: fine-tune them, minimixer train --init-from {pretrained}-{name}")
    model = MlpMixer(MixerConfig(**{**sizes, **changes}), None)
    model.load_state_dict(state)
    return model
