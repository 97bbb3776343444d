"""A residual network for small images (He et al. 2016, arXiv 1512.03385, section 4.2).

A convolution is a Linear layer applied to all windows of an image.  Where the paper normalizes over the batch, this
network normalizes over groups of channels of one image (Wu & He 2018): the logits of an image depend on that image
alone, the gradient of a batch is the sum of the gradients of its shards, and there are no running averages to keep.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from minimixer import functional as F
from minimixer.functional.images import Sizes, pair
from minimixer.nn.grouped import GroupedFilters
from minimixer.nn.layers import Linear, StochasticDepth
from minimixer.nn.model import Model, check_positive
from minimixer.nn.module import Module
from minimixer.nn.random import Initializer, lecun_normal, zeros
from minimixer.nn.summary import Row, blocks_rows, layer_row, random_rows, step_row
from minimixer.tensor import Tensor

STAGES = 3


@dataclass(frozen=True)
class ConvNetConfig:
    """The sizes of a residual network: a stem, three stages of blocks, and 6 * blocks_per_stage + 2 layers in all.

    Attributes
    ----------
    image_size : int
        Side of an image in pixels, a multiple of 4.  No weight depends on it: images of other sizes are accepted.
    width : int
        Channels of the first stage; each further stage halves the side and doubles the channels.
    blocks_per_stage : int
        Number of blocks per stage, each of two convolutions.
    groups : int
        Number of channel groups that are normalized; divides width.
    num_classes, in_channels, stochastic_depth
        As in ``MixerConfig``.

    Raises
    ------
    ValueError
        If a size is not positive, image_size is no multiple of 4, or groups does not divide width.
    """

    image_size: int = 32
    width: int = 32
    blocks_per_stage: int = 3
    groups: int = 8
    num_classes: int = 10
    in_channels: int = 3
    stochastic_depth: float = 0.0

    def __post_init__(self) -> None:
        check_positive(self)
        if self.image_size % 2 ** (STAGES - 1):
            raise ValueError(f"image_size is {self.image_size}, expected a multiple of {2 ** (STAGES - 1)}: the side "
                             "is halved twice")
        if self.width % self.groups:
            raise ValueError(f"{self.width} channels cannot be split into {self.groups} equal groups: change "
                             "groups to a number that divides width")

    @property
    def widest_array(self) -> int:
        """Elements per image of the largest array: the 3 x 3 windows of the first stage."""
        return 9 * self.image_size**2 * max(self.width, self.in_channels)


def check_channels(images: Tensor, channels: int) -> None:
    """Raise ValueError for what is not (B, H, W, channels)."""
    if images.ndim != 4 or images.shape[3] != channels:
        first = images.ndim == 4 and images.shape[1] == channels
        raise ValueError(f"images have shape {images.shape}, expected (B, H, W, {channels})" +
                         (": their channels come first; images.transpose(0, 2, 3, 1) puts them last" if first else ""))


class Conv2d(Module):
    """One KH x KW filter per output channel, moved over the image.  x: (B, H, W, in) -> (B, H', W', out).

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or (int, int)
        KH and KW; one number for both, here and below.
    stride : int or (int, int)
        Pixels from one position of the filter to the next.
    padding : int or (int, int), optional
        Zeros around the image; by default half the kernel, which keeps the size if it is odd and the stride is 1.
    init : Initializer, optional
        Of the weights, (KH * KW * in, out).
    groups : int
        In how many groups the channels are cut, those in and those out; a filter sees its group only.  With as many
        groups as channels, every channel has its own filter (depthwise).
    bias : bool
        Whether a number is added to each output channel; before a norm, which takes it away again, it is of no use.

    Raises
    ------
    ValueError
        If a size is out of range, or groups does not divide the channels.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes = 1,
                 padding: Sizes | None = None, init: Initializer | None = None, groups: int = 1,
                 bias: bool = True):
        self.kernel_size, self.stride = pair("Conv2d: kernel_size", kernel_size), pair("Conv2d: stride", stride)
        kh, kw = self.kernel_size
        self.padding = pair("Conv2d: padding", (kh // 2, kw // 2) if padding is None else padding, 0)
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"Conv2d: {in_channels} channels in and {out_channels} out cannot be cut into {groups} "
                             "groups: change groups to a number that divides both")
        self.in_channels = in_channels
        self.filters = (Linear(kh * kw * in_channels, out_channels, init, bias) if groups == 1
                        else GroupedFilters(in_channels, out_channels, kh * kw, groups, init, bias))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, H, W, in) -> (B, H', W', out)."""
        check_channels(x, self.in_channels)
        windows = F.unfold(x, self.kernel_size, self.stride, self.padding)      # (B, H', W', KH * KW * in)
        return self.filters(windows)                                            # (B, H', W', out)

    def __repr__(self) -> str:
        (kh, kw), (down, right) = self.kernel_size, self.stride
        by = "" if down == right == 1 else f"/{down}" if down == right else f"/{down}x{right}"
        groups = len(self.filters.weight) if isinstance(self.filters, GroupedFilters) else 1
        into = (f" in {groups} groups" if groups > 1 else "") + ("" if self.filters.bias is not None else ", no bias")
        return f"Conv2d {kh}x{kw}{by}, {self.in_channels} -> {self.filters.weight.shape[-1] * groups}{into}"


class GroupNorm(Module):
    """Normalize groups of channels over all pixels of an image, then scale by ``weight`` and shift by ``bias``."""

    def __init__(self, channels: int, groups: int, eps: float = 1e-6):
        self.weight = Tensor(np.ones(channels, np.float32), requires_grad=True)
        self.bias = Tensor(np.zeros(channels, np.float32), requires_grad=True)
        self.groups, self.eps = groups, eps

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, H, W, C) -> the same shape."""
        return F.group_norm(x, self.weight, self.bias, self.groups, self.eps)

    def __repr__(self) -> str:
        return f"GroupNorm {self.weight.size} in {self.groups}"


class ResidualBlock(Module):
    """Two convolutions and a skip connection.  x: (B, H, W, in_channels) -> (B, H / stride, W / stride, channels).

    If the shape changes, the skip connection is a 1 x 1 convolution (the paper's option B).
    """

    def __init__(self, in_channels: int, channels: int, stride: int, groups: int, drop_branch: float = 0.0,
                 init: Initializer | None = None):
        self.conv1 = Conv2d(in_channels, channels, 3, stride, init=init)
        self.norm1 = GroupNorm(channels, groups)
        self.conv2 = Conv2d(channels, channels, 3, init=init)
        self.norm2 = GroupNorm(channels, groups)
        self.shortcut = (None if (in_channels, stride) == (channels, 1)
                         else Conv2d(in_channels, channels, 1, stride, init=init))
        self.drop_branch = StochasticDepth(drop_branch)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, H, W, in_channels) -> (B, H / stride, W / stride, channels)."""
        y = F.relu(self.norm1(self.conv1(x)))                       # (B, H / stride, W / stride, channels)
        y = self.norm2(self.conv2(y))
        x = x if self.shortcut is None else self.shortcut(x)        # (B, H / stride, W / stride, channels)
        return F.relu(x + self.drop_branch(y))

    def summary_rows(self, side: int) -> Iterator[Row]:
        """Its steps for an input (B, side, side, in_channels)."""
        side //= self.conv1.stride[0]
        shape = side, side, self.norm1.weight.size
        yield layer_row("conv1", self.conv1, *shape)
        yield layer_row("norm1", self.norm1, *shape)
        yield step_row("relu", *shape)
        yield layer_row("conv2", self.conv2, *shape)
        yield layer_row("norm2", self.norm2, *shape)
        if self.shortcut is not None:
            yield layer_row("shortcut", self.shortcut, *shape)
        yield from random_rows("drop_branch", self.drop_branch, *shape)
        yield step_row("x = x + y", *shape)
        yield step_row("relu", *shape)


class ConvNet(Model):
    """The whole network.  images: (B, H, W, in_channels) -> logits: (B, num_classes).

    Parameters
    ----------
    config : ConvNetConfig
    seed : int or None
        Of the initial weights, as for ``MlpMixer``.
    """

    def __init__(self, config: ConvNetConfig, seed: int | None = 0):
        init = zeros if seed is None else lecun_normal(np.random.default_rng(seed))
        width, per_stage = config.width, config.blocks_per_stage
        self.config = config
        self.stem = Conv2d(config.in_channels, width, 3, init=init)
        self.norm = GroupNorm(width, config.groups)
        channels = [width * 2**stage for stage in range(STAGES) for _ in range(per_stage)]
        before = [width, *channels[:-1]]
        rates = np.linspace(0, config.stochastic_depth, len(channels)).tolist()
        self.blocks = [ResidualBlock(n_in, n, n // n_in, config.groups, rate, init)     # twice the channels: stride 2
                       for n_in, n, rate in zip(before, channels, rates, strict=True)]
        self.head = Linear(channels[-1], config.num_classes, zeros)

    def forward(self, images: Tensor) -> Tensor:
        """images: (B, H, W, in_channels) float, of any size -> logits: (B, num_classes)."""
        check_channels(images, self.config.in_channels)
        x = F.relu(self.norm(self.stem(images)))                # (B, H, W, width)
        for block in self.blocks:
            x = block(x)                                        # (B, H / 4, W / 4, 4 * width) after the last
        x = x.mean(axis=(1, 2))                                 # (B, 4 * width)  the average pixel
        return self.head(x)                                     # (B, num_classes)

    def summary_rows(self) -> Iterator[Row | str]:
        """Every step of ``forward``."""
        side, width, blocks = self.config.image_size, self.config.width, []
        yield step_row("images", side, side, self.config.in_channels)
        yield layer_row("stem", self.stem, side, side, width)
        yield layer_row("norm", self.norm, side, side, width)
        yield step_row("relu", side, side, width)
        for block in self.blocks:
            blocks.append(list(block.summary_rows(side)))
            side //= block.conv1.stride[0]
        yield from blocks_rows(blocks)
        yield step_row("mean(axis=(1, 2))", self.head.weight.shape[0])
        yield layer_row("head", self.head, self.config.num_classes)


_MICRO = ConvNetConfig()

# Each has the parameters of the Mixer of the same name, within 7 %.
CONVNETS: dict[str, ConvNetConfig] = {
    "pico": replace(_MICRO, width=8, blocks_per_stage=4),
    "nano": replace(_MICRO, width=16, blocks_per_stage=5),      # the paper's ResNet-32
    "micro": _MICRO,                                            # its ResNet-20, twice as wide
    "tiny": replace(_MICRO, width=48),
    "small": replace(_MICRO, width=64),
}
