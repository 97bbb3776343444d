"""GELU for CuPy: one kernel per direction, in kernel.cu.  Saves x alone."""

from pathlib import Path

import numpy as np

from minimixer.backend import Array, Module
from minimixer.ops.cuda import THREADS, elementwise_blocks, is_swapped, launch, plain
from minimixer.ops.op import Op

SOURCE = Path(__file__).with_name("kernel.cu")


class GELU(Op):
    """The tanh form.  A swapped view gives a swapped view."""

    kernel = "gelu"

    @classmethod
    def forward(cls, xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        if is_swapped(x):
            return cls.forward(xp, x.swapaxes(1, 2))[0].swapaxes(1, 2), (x,)
        x, = plain(xp, x)
        y = xp.empty_like(x)
        launch(SOURCE, f"{cls.kernel}_forward", x.dtype, elementwise_blocks(x.size), (THREADS, 1), x, y,
               np.int64(x.size))
        return y, (x,)

    @classmethod
    def backward(cls, xp: Module, gy: Array, x: Array) -> Array:
        if is_swapped(x):
            return cls.backward(xp, gy.swapaxes(1, 2), x.swapaxes(1, 2)).swapaxes(1, 2)
        gy, x = plain(xp, gy, x)
        gx = xp.empty_like(x)
        launch(SOURCE, f"{cls.kernel}_backward", x.dtype, elementwise_blocks(x.size), (THREADS, 1), gy, x, gx,
               np.int64(x.size))
        return gx


class GELUErf(GELU):
    """The exact form."""

    kernel = "gelu_erf"
