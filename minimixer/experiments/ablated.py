"""Mixers with a part removed, replaced or added; all begin with the weights of the full Mixer that they keep."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minimixer import functional as F
from minimixer.nn import Linear, MixerBlock, Module
from minimixer.nn.random import lecun_normal
from minimixer.nn.vit import POSITION_STD
from minimixer.tensor import Tensor


class WithoutSkips(Module):
    """A Mixer block without residual connections.  x: (B, S, C) -> the same shape."""

    def __init__(self, block: MixerBlock):
        self.token_norm, self.token_mixing = block.token_norm, block.token_mixing
        self.channel_norm, self.channel_mixing = block.channel_norm, block.channel_mixing

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, S, C) -> the same shape."""
        x = self.token_mixing(self.token_norm(x).swapaxes(1, 2)).swapaxes(1, 2)         # (B, S, C)
        return self.channel_mixing(self.channel_norm(x))


class WithoutTokenMixing(Module):
    """The channel-mixing half of a Mixer block: patches do not interact.  x: (B, S, C) -> the same shape."""

    def __init__(self, block: MixerBlock):
        self.channel_norm, self.channel_mixing = block.channel_norm, block.channel_mixing

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, S, C) -> the same shape."""
        return x + self.channel_mixing(self.channel_norm(x))


class StemWithPosition(Module):
    """A stem that adds a learned vector to every patch.  x: (B, S, P * P * channels) -> (B, S, C)."""

    def __init__(self, stem: Linear, num_patches: int, seed: int):
        shape = num_patches, stem.bias.size
        position = np.random.default_rng(seed).normal(0, POSITION_STD, shape).astype(np.float32)
        self.stem = stem
        self.position = Tensor(position, requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, S, P * P * channels) -> (B, S, C)."""
        return self.stem(x) + self.position


class MeanMixing(Module):
    """In place of the token-mixing MLP: every patch gets the mean of all.  y: (B, C, S) -> (B, C, 1)."""

    def forward(self, y: Tensor) -> Tensor:
        """y: (B, C, S) -> (B, C, 1), which the block adds to every patch."""
        return y.mean(axis=2, keepdims=True)


class RandomMixing(Module):
    """In place of the token-mixing MLP: a matrix that is drawn once and never trained.  y: (B, C, S) -> the same."""

    def __init__(self, num_patches: int, rng: np.random.Generator):
        self.weight = Tensor(lecun_normal(rng)((num_patches, num_patches)))

    def forward(self, y: Tensor) -> Tensor:
        """y: (B, C, S) -> the same shape."""
        return y @ self.weight


class MixingPerChannel(Module):
    """In place of the token-mixing MLP: one of the same size for each channel.  y: (B, C, S) -> the same shape."""

    def __init__(self, channels: int, num_patches: int, hidden_dim: int, rng: np.random.Generator):
        def linear(n_in: int, n_out: int) -> tuple[Tensor, Tensor]:
            weights = np.stack([lecun_normal(rng)((n_in, n_out)) for _ in range(channels)])    # (C, n_in, n_out)
            return Tensor(weights, requires_grad=True), Tensor(np.zeros((channels, 1, n_out), np.float32),
                                                               requires_grad=True)

        self.weight1, self.bias1 = linear(num_patches, hidden_dim)
        self.weight2, self.bias2 = linear(hidden_dim, num_patches)

    def forward(self, y: Tensor) -> Tensor:
        """y: (B, C, S) -> the same shape."""
        hidden = F.gelu(y.swapaxes(0, 1) @ self.weight1 + self.bias1)           # (C, B, D_S)
        return (hidden @ self.weight2 + self.bias2).swapaxes(0, 1)              # (B, C, S)


class Identity(Module):
    """In place of a LayerNorm.  x -> x."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x."""
        return x


def unchanged(model: Any, seed: int) -> Any:
    """The full Mixer."""
    return model


def with_position(model: Any, seed: int) -> Any:
    """Add a position embedding to a Mixer, in place."""
    model.stem = StemWithPosition(model.stem, model.config.num_patches, seed)
    return model


def without_skips(model: Any, seed: int) -> Any:
    """Remove the skip connections of a Mixer, in place."""
    model.blocks = [WithoutSkips(block) for block in model.blocks]
    return model


def without_norms(model: Any, seed: int) -> Any:
    """Remove every LayerNorm of a Mixer, in place."""
    for block in model.blocks:
        block.token_norm, block.channel_norm = Identity(), Identity()
    model.norm = Identity()
    return model


def without_token_mixing(model: Any, seed: int) -> Any:
    """Remove the token mixing of a Mixer, in place."""
    model.blocks = [WithoutTokenMixing(block) for block in model.blocks]
    return model


def with_mean(model: Any, seed: int) -> Any:
    """Replace the token mixing of a Mixer by a mean, in place."""
    for block in model.blocks:
        block.token_mixing = MeanMixing()
    return model


def with_random_mixing(model: Any, seed: int) -> Any:
    """Replace the token mixing of a Mixer by fixed random matrices, in place."""
    rng = np.random.default_rng(seed)
    for block in model.blocks:
        block.token_mixing = RandomMixing(model.config.num_patches, rng)
    return model


def with_mixing_per_channel(model: Any, seed: int) -> Any:
    """Give every channel of a Mixer a token-mixing MLP of its own, in place."""
    config, rng = model.config, np.random.default_rng(seed)
    for block in model.blocks:
        block.token_mixing = MixingPerChannel(config.hidden_dim, config.num_patches, config.tokens_mlp_dim, rng)
    return model


VARIANTS: dict[str, Callable[[Any, int], Any]] = {
    "Mixer": unchanged, "position added": with_position, "no skips": without_skips, "no LayerNorm": without_norms,
    "no token mixing": without_token_mixing, "mean for token mixing": with_mean,
    "random token mixing": with_random_mixing, "token mixing per channel": with_mixing_per_channel}
