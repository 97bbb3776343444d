"""MLP-Mixer (Tolstikhin et al. 2021, arXiv 2105.01601), with the names of the official code.

B images, S patches (tokens), C channels, P patch size.  Two MLPs alternate: one mixes the S patches of each
channel, the other the C channels of each patch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minimixer import functional as F
from minimixer.nn.layers import GELU, Dropout, LayerNorm, Linear, StochasticDepth
from minimixer.nn.model import Model, check_images, check_positive, check_tiling
from minimixer.nn.module import Module
from minimixer.nn.pretrained import read_pretrained
from minimixer.nn.random import Initializer, lecun_normal, zeros
from minimixer.nn.summary import Row, blocks_rows, layer_row, random_rows, step_row
from minimixer.tensor import Tensor


@dataclass(frozen=True)
class MixerConfig:
    """The sizes of a Mixer.

    Attributes
    ----------
    image_size, patch_size : int
        Side of an image and of a patch in pixels; patch_size divides image_size.
    hidden_dim : int
        C, channels of a patch.
    num_blocks : int
        Number of Mixer blocks.
    tokens_mlp_dim, channels_mlp_dim : int
        D_S and D_C, hidden units of the token-mixing and the channel-mixing MLP.
    num_classes : int
    in_channels : int
        Color channels: 3, or 1 for gray.
    gelu : "tanh" or "erf"
        The official form, or timm's.
    dropout : float
        Dropout rate after the GELU and after the second Linear of each MLP; the paper's models use 0.
    stochastic_depth : float
        Rate of the last block; it grows linearly from 0 in the first.

    Raises
    ------
    ValueError
        If a size is not positive, or the patches do not tile the image.
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
        """Elements per image of the largest array: the hidden units of one of the two MLPs."""
        return max(self.num_patches * self.channels_mlp_dim, self.hidden_dim * self.tokens_mlp_dim)


class MlpBlock(Module):
    """Two Linear layers with a GELU between them.  x: (..., dim) -> the same shape."""

    def __init__(self, dim: int, hidden_dim: int, *, gelu: F.GeluForm = "tanh", dropout: float = 0.0,
                 init: Initializer | None = None):
        self.fc1 = Linear(dim, hidden_dim, init)
        self.gelu = GELU(gelu)
        self.fc2 = Linear(hidden_dim, dim, init)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., dim) -> the same shape."""
        hidden = self.dropout(self.gelu(self.fc1(x)))       # (..., hidden_dim)
        return self.dropout(self.fc2(hidden))               # (..., dim)

    def summary_rows(self, name: str, *shape: int) -> Iterator[Row]:
        """Its steps, under the name its block gives it, for an input of this shape without the batch axis."""
        hidden = (*shape[:-1], self.fc1.weight.shape[1])
        yield layer_row(f"{name}.fc1", self.fc1, *hidden)
        yield layer_row(f"{name}.gelu", self.gelu, *hidden)
        yield from random_rows(f"{name}.dropout", self.dropout, *hidden)
        yield layer_row(f"{name}.fc2", self.fc2, *shape)
        yield from random_rows(f"{name}.dropout", self.dropout, *shape)


class MixerBlock(Module):
    """Equation 1 of the paper: mix the patches of each channel, then the channels of each patch.  x: (B, S, C)."""

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

    def summary_rows(self, s: int, c: int) -> Iterator[Row]:
        """Its steps for an input (B, s, c)."""
        yield layer_row("token_norm", self.token_norm, s, c)
        yield step_row("swapaxes(1, 2)", c, s)
        yield from self.token_mixing.summary_rows("token_mixing", c, s)
        yield step_row("swapaxes(1, 2)", s, c)
        yield from random_rows("drop_branch", self.drop_branch, s, c)
        yield step_row("x = x + y", s, c)
        yield layer_row("channel_norm", self.channel_norm, s, c)
        yield from self.channel_mixing.summary_rows("channel_mixing", s, c)
        yield from random_rows("drop_branch", self.drop_branch, s, c)
        yield step_row("x = x + y", s, c)


class MlpMixer(Model):
    """The whole Mixer.  images: (B, H, W, in_channels) -> logits: (B, num_classes).

    Parameters
    ----------
    config : MixerConfig
    seed : int or None
        Of the initial weights: truncated lecun-normal, biases and head zero.  None leaves every weight matrix zero
        (and untouched in memory), for weights to be loaded.
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

    def summary_rows(self) -> Iterator[Row | str]:
        """Every step of ``forward``."""
        config, size = self.config, self.config.image_size
        s, c, p = config.num_patches, config.hidden_dim, config.patch_size
        yield step_row("images", size, size, config.in_channels)
        yield step_row(f"patches {p} x {p}", s, p * p * config.in_channels)
        yield layer_row("stem", self.stem, s, c)
        yield from blocks_rows([list(block.summary_rows(s, c)) for block in self.blocks])
        yield layer_row("norm", self.norm, s, c)
        yield step_row("mean(axis=1)", c)
        yield layer_row("head", self.head, config.num_classes)


_S = MixerConfig(hidden_dim=512, num_blocks=8, tokens_mlp_dim=256, channels_mlp_dim=2048)
_B = MixerConfig(hidden_dim=768, num_blocks=12, tokens_mlp_dim=384, channels_mlp_dim=3072)
_L = MixerConfig(hidden_dim=1024, num_blocks=24, tokens_mlp_dim=512, channels_mlp_dim=4096)
_H = MixerConfig(hidden_dim=1280, num_blocks=32, tokens_mlp_dim=640, channels_mlp_dim=5120)
_SMALL = MixerConfig(image_size=32, patch_size=4, num_classes=10)

MIXERS: dict[str, MixerConfig] = {
    # Table 1 of the paper
    "S/32": replace(_S, patch_size=32), "S/16": replace(_S, patch_size=16),
    "B/32": replace(_B, patch_size=32), "B/16": replace(_B, patch_size=16),
    "L/32": replace(_L, patch_size=32), "L/16": replace(_L, patch_size=16),
    "H/14": replace(_H, patch_size=14),
    # scaled down, for images of 32 x 32 pixels
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
        A key of ``nn.MIXERS``.
    seed : int or None
        As for ``MlpMixer``.
    pretrained : str, optional
        Name of the training data, ``"cifar10"``, to load weights that come with the package (see
        ``nn.list_pretrained()``).  They expect normalized images; ``train.load_run("cifar10-micro")`` normalizes
        for you.
    **changes
        Fields of ``MixerConfig`` to replace, such as ``num_classes=100``.

    Raises
    ------
    ValueError
        If the name is unknown, the changed sizes do not fit, or there are no trained weights of this name.
    """
    if name not in MIXERS:
        raise ValueError(f"no Mixer is called {name!r}: expected one of {', '.join(MIXERS)}")
    if unknown := sorted(changes.keys() - vars(MIXERS[name]).keys()):
        raise ValueError(f"a Mixer has no {unknown[0]}: its fields are {', '.join(vars(MIXERS[name]))}")
    if pretrained is None:
        return MlpMixer(replace(MIXERS[name], **changes), seed)
    sizes, state = read_pretrained(name, pretrained)
    for field in changes.keys() & sizes.keys() - {"dropout", "stochastic_depth"}:
        if changes[field] != sizes[field]:
            raise ValueError(f"the weights of {name!r} pretrained on {pretrained!r} are for {field} {sizes[field]}, "
                             f"not {changes[field]}: fine-tune them, minimixer train --init-from {pretrained}-{name}")
    model = MlpMixer(MixerConfig(**{**sizes, **changes}), None)
    model.load_state_dict(state)
    return model
