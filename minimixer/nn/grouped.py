"""The filters of a convolution in groups."""

import math
from typing import Any

import numpy as np

from minimixer.nn.module import Module
from minimixer.nn.random import Initializer, default_rng, lecun_normal
from minimixer.tensor import Tensor


class GroupedFilters(Module):
    """A Linear layer for each group of channels.  windows: (..., pixels * in) -> (..., out).

    ``weight`` is (groups, pixels * in / groups, out / groups), ``bias`` (out,); init draws (pixels * in / groups, out).
    """

    def __init__(self, in_channels: int, out_channels: int, pixels: int, groups: int, init: Initializer | None = None,
                 bias: bool = True):
        n = pixels * in_channels // groups
        weight = (init or lecun_normal(default_rng()))((n, out_channels))
        weight = weight.reshape(n, groups, out_channels // groups).swapaxes(0, 1)       # (groups, n, out / groups)
        self.weight = Tensor(np.ascontiguousarray(weight), requires_grad=True)
        self.bias: Any = Tensor(np.zeros(out_channels, np.float32), requires_grad=True) if bias else None
        self.pixels = pixels

    def forward(self, windows: Tensor) -> Tensor:
        """windows: (..., pixels * in) -> (..., out)."""
        groups, n, n_out = self.weight.shape
        *leading, _ = windows.shape
        rows = math.prod(leading)
        x = windows.reshape(rows, self.pixels, groups, n // self.pixels)
        x = x.transpose(2, 0, 1, 3).reshape(groups, rows, n)                    # (groups, N, pixels * in / groups)
        y = (x @ self.weight).swapaxes(0, 1)                                    # (N, groups, out / groups)
        y = y.reshape(*leading, groups * n_out)                                 # (..., out)
        return y if self.bias is None else y + self.bias
