"""LayerNorm for NumPy: in place, in blocks of rows that stay in the cache."""

import numpy as np

from minimixer.backend import Array, Module
from minimixer.ops.layout import BLOCK
from minimixer.ops.op import Op

# By bytes of a float, a tenth of a rounding: c + 20 of them may be missing from the mean of a row of c equal numbers
ROUNDING = {4: 0.1 * 2.0**-23, 8: 0.1 * 2.0**-52}


def layer_norm(x: Array, weight: Array, bias: Array, eps: float, y: Array, normalized: Array, rstd: Array) -> None:
    """Normalize rows.  Sums along a row are products with a vector, which BLAS does at the speed of memory.

    x, y, normalized: (N, C), C-contiguous; weight, bias: (C,); rstd, one over the standard deviation: (N, 1).
    """
    n, c = x.shape
    average = np.empty(c, x.dtype)
    average.fill(1 / c)
    step = max(1, BLOCK // c)
    rounding = ROUNDING[x.itemsize] * (c + 20)
    for i in range(0, n, step):
        b = slice(i, i + step)
        x_, y_, normalized_, rstd_ = x[b], y[b], normalized[b], rstd[b]         # one block
        np.subtract(x_, (x_ @ average)[:, None], out=normalized_)
        np.multiply(normalized_, normalized_, out=y_)
        variance = y_ @ average
        flat = np.sqrt(variance) < np.abs(rounding * x_[:, 0])
        if np.count_nonzero(flat):          # rows of nearly one number: all that is left may be what the mean rounded
            rest = normalized_[flat]
            rest -= rest.mean(-1, keepdims=True)
            normalized_[flat] = rest
            variance[flat] = (rest * rest).mean(-1)
        rstd_[:, 0] = 1 / np.sqrt(variance + eps)
        normalized_ *= rstd_
        np.multiply(normalized_, weight, out=y_)
        y_ += bias


def layer_norm_gradient(gy: Array, normalized: Array, rstd: Array, weight: Array, gx: Array, gweight: Array,
                        gbias: Array) -> None:
    """The gradients of the three arguments; those of weight and bias, (C,), are added to what is there."""
    n, c = normalized.shape
    average = weight / c
    step = max(1, BLOCK // c)
    product = np.empty((min(step, n), c), gx.dtype)
    ones = np.ones(min(step, n), gx.dtype)
    for i in range(0, n, step):
        b = slice(i, i + step)
        gy_, gx_, normalized_ = gy[b], gx[b], normalized[b]                             # one block
        p, one = product[:len(gy_)], ones[:len(gy_)]
        np.multiply(gy_, normalized_, out=p)
        gweight += one @ p
        gbias += one @ gy_
        mean_g, mean_gx = (gy_ @ average)[:, None], (p @ average)[:, None]              # (n, 1)
        np.multiply(gy_, weight, out=gx_)
        gx_ -= mean_g
        np.multiply(normalized_, mean_gx, out=p)
        gx_ -= p
        gx_ *= rstd[b]


class LayerNorm(Op):
    """Row by row.  Saves the normalized rows and one over their standard deviations."""

    loop, gradient_loop = staticmethod(layer_norm), staticmethod(layer_norm_gradient)

    @classmethod
    def forward(cls, xp: Module, x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, tuple[Array, ...]]:
        rows = np.ascontiguousarray(x).reshape(-1, x.shape[-1])             # (N, C)
        y, normalized, rstd = np.empty_like(rows), np.empty_like(rows), np.empty((len(rows), 1), rows.dtype)
        cls.loop(rows, weight, bias, eps, y, normalized, rstd)
        return y.reshape(x.shape), (normalized, rstd, weight)

    @classmethod
    def backward(cls, xp: Module, gy: Array, normalized: Array, rstd: Array,
                 weight: Array) -> tuple[Array, Array, Array]:
        rows = np.ascontiguousarray(gy).reshape(normalized.shape)           # (N, C)
        gx, gweight, gbias = np.empty_like(normalized), np.zeros_like(weight), np.zeros_like(weight)
        cls.gradient_loop(rows, normalized, rstd, weight, gx, gweight, gbias)
        return gx.reshape(gy.shape), gweight, gbias
