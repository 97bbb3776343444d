"""Vision Transformer (Dosovitskiy et al. 2021, arXiv 2010.11929), the model that the Mixer paper compares with.

Only the mixing of patches differs from ``mixer.py``: attention replaces the token-mixing MLP.  Attention does not know
where a patch is, so a position embedding is added to each.  The logits come from the average patch, as in the Mixer,
not from a class token; this loses no accuracy (Beyer et al. 2022, arXiv 2205.01580).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from minimixer import functional as F
from minimixer.nn.layers import Dropout, LayerNorm, Linear, StochasticDepth
from minimixer.nn.mixer import MlpBlock
from minimixer.nn.model import Model, check_images, check_positive, check_tiling
from minimixer.nn.module import Module
from minimixer.nn.random import Initializer, lecun_normal, zeros
from minimixer.nn.summary import Row, blocks_rows, layer_row, random_rows, step_row
from minimixer.tensor import Tensor

POSITION_STD = 0.02         # of the initial position embeddings, as in the official code


@dataclass(frozen=True)
class ViTConfig:
    """The sizes of a Vision Transformer.

    Attributes
    ----------
    image_size, patch_size, hidden_dim, num_blocks, num_classes, in_channels, gelu, stochastic_depth
        As in ``MixerConfig``.
    num_heads : int
        h, attention heads of hidden_dim / h channels each.
    mlp_dim : int
        Hidden units of the channel-mixing MLP.
    dropout : float
        Dropout rate after the attention, and in the MLP as in the Mixer's.

    Raises
    ------
    ValueError
        If a size is not positive, the patches do not tile the image, or the heads do not divide the channels.
    """

    image_size: int = 32
    patch_size: int = 4
    hidden_dim: int = 128
    num_blocks: int = 8
    num_heads: int = 4
    mlp_dim: int = 280
    num_classes: int = 10
    in_channels: int = 3
    gelu: F.GeluForm = "tanh"
    dropout: float = 0.0
    stochastic_depth: float = 0.0

    def __post_init__(self) -> None:
        check_positive(self)
        check_tiling(self.image_size, self.patch_size)
        if self.hidden_dim % self.num_heads:
            raise ValueError(f"{self.hidden_dim} channels cannot be split among {self.num_heads} heads: change "
                             "num_heads to a number that divides hidden_dim")

    @property
    def num_patches(self) -> int:
        """S = (image_size / patch_size) squared."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def widest_array(self) -> int:
        """Elements per image of the largest array: the attention weights, (h, S, S), or the MLP's hidden units."""
        return self.num_patches * max(self.num_heads * self.num_patches, self.mlp_dim, self.hidden_dim)


class Attention(Module):
    """Multi-head self-attention (Vaswani et al. 2017, arXiv 1706.03762, section 3.2).  x: (B, S, C) -> the same shape.

    Each patch asks (query) all patches (key) how much of each (value) to take.  Each head does so with its own
    d = C / num_heads channels.
    """

    def __init__(self, dim: int, num_heads: int, init: Initializer | None = None):
        self.query, self.key, self.value, self.out = (Linear(dim, dim, init) for _ in range(4))
        self.num_heads = num_heads

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, S, C) -> the same shape."""
        b, s, c = x.shape
        d = c // self.num_heads
        q, k, v = (linear(x).reshape(b, s, self.num_heads, d).swapaxes(1, 2)    # (B, h, S, d)  one table per head
                   for linear in (self.query, self.key, self.value))
        scores = (q * (1 / math.sqrt(d))) @ k.swapaxes(2, 3)                    # (B, h, S, S)  each q with each k
        y = F.softmax(scores) @ v                                               # (B, h, S, d)  means of the values
        return self.out(y.swapaxes(1, 2).reshape(b, s, c))                      # (B, S, C)  heads side by side

    def summary_rows(self, name: str, s: int, c: int) -> Iterator[Row]:
        """Its steps, under the name its block gives it, for an input (B, s, c)."""
        h = self.num_heads
        for part in ("query", "key", "value"):
            yield layer_row(f"{name}.{part}", getattr(self, part), s, c)
        yield step_row("reshape, swapaxes(1, 2)", h, s, c // h)
        yield step_row("softmax(query @ key.T / sqrt(d))", h, s, s)
        yield step_row("@ value", h, s, c // h)
        yield step_row("swapaxes(1, 2), reshape", s, c)
        yield layer_row(f"{name}.out", self.out, s, c)


class ViTBlock(Module):
    """Mix the patches by attention, then the channels of each patch by an MLP.  x: (B, S, C)."""

    def __init__(self, config: ViTConfig, drop_branch: float = 0.0, init: Initializer | None = None):
        self.attention_norm = LayerNorm(config.hidden_dim)
        self.attention = Attention(config.hidden_dim, config.num_heads, init)
        self.dropout = Dropout(config.dropout)
        self.mlp_norm = LayerNorm(config.hidden_dim)
        self.mlp = MlpBlock(config.hidden_dim, config.mlp_dim, gelu=config.gelu, dropout=config.dropout, init=init)
        self.drop_branch = StochasticDepth(drop_branch)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, S, C) -> the same shape."""
        y = self.dropout(self.attention(self.attention_norm(x)))        # (B, S, C)
        x = x + self.drop_branch(y)
        y = self.mlp(self.mlp_norm(x))                                  # (B, S, C)
        return x + self.drop_branch(y)

    def summary_rows(self, s: int, c: int) -> Iterator[Row]:
        """Its steps for an input (B, s, c)."""
        yield layer_row("attention_norm", self.attention_norm, s, c)
        yield from self.attention.summary_rows("attention", s, c)
        yield from random_rows("dropout", self.dropout, s, c)
        yield from random_rows("drop_branch", self.drop_branch, s, c)
        yield step_row("x = x + y", s, c)
        yield layer_row("mlp_norm", self.mlp_norm, s, c)
        yield from self.mlp.summary_rows("mlp", s, c)
        yield from random_rows("drop_branch", self.drop_branch, s, c)
        yield step_row("x = x + y", s, c)


class VisionTransformer(Model):
    """The whole ViT.  images: (B, H, W, in_channels) -> logits: (B, num_classes).

    Parameters
    ----------
    config : ViTConfig
    seed : int or None
        Of the initial weights, as for ``MlpMixer``; position embeddings start normal with standard deviation 0.02.
    """

    def __init__(self, config: ViTConfig, seed: int | None = 0):
        rng = np.random.default_rng(seed)
        init = zeros if seed is None else lecun_normal(rng)
        shape = config.num_patches, config.hidden_dim
        position = zeros(shape) if seed is None else rng.normal(0, POSITION_STD, shape).astype(np.float32)
        self.config = config
        self.stem = Linear(config.patch_size**2 * config.in_channels, config.hidden_dim, init)
        self.position = Tensor(position, requires_grad=True)
        rates = np.linspace(0, config.stochastic_depth, config.num_blocks).tolist()
        self.blocks = [ViTBlock(config, rate, init) for rate in rates]
        self.norm = LayerNorm(config.hidden_dim)
        self.head = Linear(config.hidden_dim, config.num_classes, zeros)

    def forward(self, images: Tensor) -> Tensor:
        """images: (B, H, W, in_channels) float -> logits: (B, num_classes).  Raises ValueError for another size."""
        check_images(images, self.config, "there are position embeddings")
        x = F.patches(images, self.config.patch_size)           # (B, S, P * P * in_channels)
        x = self.stem(x) + self.position                        # (B, S, C)
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
        yield "x = x + position", ("B", s, c), self.position.size
        yield from blocks_rows([list(block.summary_rows(s, c)) for block in self.blocks])
        yield layer_row("norm", self.norm, s, c)
        yield step_row("mean(axis=1)", c)
        yield layer_row("head", self.head, config.num_classes)


_MICRO = ViTConfig()

# As wide and (except pico) as deep as the Mixer of the same name.  Attention has more parameters than token mixing, so
# the MLP has fewer hidden units; the totals agree within 1.5 %.
VITS: dict[str, ViTConfig] = {
    "pico": replace(_MICRO, hidden_dim=64, num_blocks=3, num_heads=2, mlp_dim=72),
    "nano": replace(_MICRO, hidden_dim=96, num_blocks=6, num_heads=3, mlp_dim=216),
    "micro": _MICRO,
    "tiny": replace(_MICRO, hidden_dim=192, num_heads=6, mlp_dim=408),
    "small": replace(_MICRO, hidden_dim=256, num_heads=8, mlp_dim=536),
}
