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
    average = np.full(c, 1 / c, x.dtype)
    step = max(1, BLOCK // c)
    for i in range(0, n, step):
        b = slice(i, i + step)
        np.subtract(x[b], (x[b] @ average)[:, None], out=normalized[b])
        np.multiply(normalized[b], normalized[b], out=y[b])
        variance = y[b] @ average
        flat = np.sqrt(variance) < np.abs(ROUNDING[x.itemsize] * (c + 20) * x[b, 0])
        if flat.any():                      # rows of nearly one number: all that is left may be what the mean rounded
            rest = normalized[b][flat]
            rest -= rest.mean(-1, keepdims=True)
            normalized[b][flat] = rest
            variance[flat] = (rest * rest).mean(-1)
        rstd[b, 0] = 1 / np.sqrt(variance + eps)
        normalized[b] *= rstd[b]
        np.multiply(normalized[b], weight, out=y[b])
        y[b] += bias


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
        p, one = product[:len(gy[b])], ones[:len(gy[b])]
        np.multiply(gy[b], normalized[b], out=p)
        gweight += one @ p
        gbias += one @ gy[b]
        mean_g, mean_gx = (gy[b] @ average)[:, None], (p @ average)[:, None]            # (n, 1)
        np.multiply(gy[b], weight, out=gx[b])
        gx[b] -= mean_g
        np.multiply(normalized[b], mean_gx, out=p)
        gx[b] -= p
        gx[b] *= rstd[b]


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
