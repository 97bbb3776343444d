"""GELU, tanh form, for NumPy: in place, in blocks that stay in the cache."""

import numpy as np

from minimixer.backend import Array, Module
from minimixer.ops.gelu.reference import CUBIC, SQRT_2_OVER_PI
from minimixer.ops.layout import BLOCK, blocks, dense, swap
from minimixer.ops.op import Op

SLOPE, CURVE = 2 * SQRT_2_OVER_PI, 6 * CUBIC * SQRT_2_OVER_PI           # 2 u' = SLOPE + CURVE x^2
LARGE = 1e20        # sums of squares below it keep x^3 finite in float32
FAR = 1e4           # and from here on, on both sides, GELU is straight


def gelu(x: Array, y: Array, s: Array) -> None:
    """Compute s = Phi(x) = (1 + tanh u) / 2, u = sqrt(2/pi) (x + 0.044715 x^3), and y = x s.

    All are flat, C-contiguous and of one size.
    """
    for xb, yb, sb in blocks(x, y, s):
        np.multiply(xb, xb, out=sb)
        sb *= CUBIC * SQRT_2_OVER_PI
        sb += SQRT_2_OVER_PI
        sb *= xb                            # u
        np.tanh(sb, out=sb)
        sb *= 0.5
        sb += 0.5
        np.multiply(xb, sb, out=yb)


def gelu_gradient(gy: Array, x: Array, s: Array, gx: Array) -> None:
    """Compute gx = gy y', y' = s + x s', s' = 2 s (1 - s) u'.  All flat, C-contiguous, of one size."""
    rest = np.empty(min(BLOCK, x.size), x.dtype)
    for gyb, xb, sb, gxb in blocks(gy, x, s, gx):
        scratch = rest[:xb.size]
        if not np.vdot(xb, xb) < LARGE:     # where x^2 could overflow, s is 0 or 1: x s' is 0
            xb = np.where(np.abs(xb) > FAR, 0, xb)
        np.multiply(xb, xb, out=gxb)
        gxb *= CURVE
        gxb += SLOPE                        # 2 u'
        gxb *= xb
        np.subtract(1, sb, out=scratch)
        gxb *= scratch
        gxb += 1
        gxb *= sb                           # s (1 + x (1 - s) 2 u')
        gxb *= gyb


class GELU(Op):
    """The tanh form.  Saves x and s = Phi(x).  A transposed view of dense memory is not copied."""

    loop, gradient_loop = staticmethod(gelu), staticmethod(gelu_gradient)

    @classmethod
    def forward(cls, xp: Module, x: Array) -> tuple[Array, tuple[Array, Array, bool]]:
        x, swapped = dense(x)
        y, s = np.empty_like(x), np.empty_like(x)
        cls.loop(x.reshape(-1), y.reshape(-1), s.reshape(-1))
        return swap(y, swapped), (x, s, swapped)

    @classmethod
    def backward(cls, xp: Module, gy: Array, x: Array, s: Array, swapped: bool) -> Array:
        gy = np.ascontiguousarray(swap(gy, swapped))
        gx = np.empty_like(x)
        cls.gradient_loop(gy.reshape(-1), x.reshape(-1), s.reshape(-1), gx.reshape(-1))
        return swap(gx, swapped)
