"""Pooling layers: fewer pixels, the same channels."""

from minimixer import functional as F
from minimixer.functional.images import Sizes, pair
from minimixer.nn.module import Module
from minimixer.tensor import Tensor


class _Pool2d(Module):
    """What both have: the sizes of ``functional.max_pool2d``."""

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0):
        name = type(self).__name__
        self.kernel_size = pair(f"{name}: kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else pair(f"{name}: stride", stride)
        self.padding = pair(f"{name}: padding", padding, 0)

    def __repr__(self) -> str:
        by = "" if self.stride == self.kernel_size else "/{}x{}".format(*self.stride)
        return f"{type(self).__name__} {self.kernel_size[0]}x{self.kernel_size[1]}{by}"


class MaxPool2d(_Pool2d):
    """The largest pixel of every window.  x: (B, H, W, C) -> (B, H', W', C); see ``functional.max_pool2d``."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, H, W, C) -> (B, H', W', C)."""
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding)


class AvgPool2d(_Pool2d):
    """The mean of every window.  x: (B, H, W, C) -> (B, H', W', C); see ``functional.avg_pool2d``."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, H, W, C) -> (B, H', W', C)."""
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding)
