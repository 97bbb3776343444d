"""Faster pairs for NumPy: the same formulas in place, on buffers of their own, in blocks that stay in the cache.

What a pair does to every element stands in a function of its own, which kernels/compiled.py may replace by a loop.

A transposed view of dense memory is never copied: elementwise work does not care which axis is last, and a Linear layer
on a swapped (B, C, S) view is computed in the (B, S, C) memory below it and handed back swapped.  Each pair is proved
equal to the op it replaces in tests/kernels/test_cpu.py.
"""

from collections.abc import Iterator

import numpy as np

from minimixer.backend import Array, Module
from minimixer.kernels.registry import choose_loop, fast
from minimixer.ops.gelu import CUBIC, SQRT_2_OVER_PI, Gelu
from minimixer.ops.layernorm import LayerNorm
from minimixer.ops.linear import Linear
from minimixer.optim import adamw_update

BLOCK = 1 << 16     # elements: three float32 buffers of a block fit into a core's second-level cache


def dense(x: Array) -> tuple[Array, bool]:
    """X as a C-contiguous array, and whether its last two axes had to be swapped for that; copied only if both fail."""
    if x.flags.c_contiguous:
        return x, False
    if x.ndim > 1 and x.swapaxes(-1, -2).flags.c_contiguous:
        return x.swapaxes(-1, -2), True
    return np.ascontiguousarray(x), False


def swap(x: Array, swapped: bool) -> Array:
    """x, with its last two axes swapped if asked."""
    return x.swapaxes(-1, -2) if swapped else x


def blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Walk through flat arrays of one size, block by block."""
    for start in range(0, arrays[0].size, BLOCK):
        yield tuple([a[start:start + BLOCK] for a in arrays])


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
        np.multiply(xb, xb, out=gxb)
        gxb *= 6 * CUBIC * SQRT_2_OVER_PI
        gxb += 2 * SQRT_2_OVER_PI           # 2 u'
        gxb *= xb
        np.subtract(1, sb, out=scratch)
        gxb *= scratch
        gxb += 1
        gxb *= sb                           # s (1 + x (1 - s) 2 u')
        gxb *= gyb


@fast(Gelu, "numpy")
class GeluInPlace:
    """GELU, tanh form.  Saves x and s = Phi(x)."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array, Array, bool]]:
        x, swapped = dense(x)
        y, s = np.empty_like(x), np.empty_like(x)
        choose_loop(gelu, x)(x.reshape(-1), y.reshape(-1), s.reshape(-1))
        return swap(y, swapped), (x, s, swapped)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, s: Array, swapped: bool) -> Array:
        gy = np.ascontiguousarray(swap(gy, swapped))
        gx = np.empty_like(x)
        choose_loop(gelu_gradient, x)(gy.reshape(-1), x.reshape(-1), s.reshape(-1), gx.reshape(-1))
        return swap(gx, swapped)


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
        rstd[b, 0] = 1 / np.sqrt(y[b] @ average + eps)
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


@fast(LayerNorm, "numpy")
class LayerNormInPlace:
    """LayerNorm, row by row.  Saves the normalized rows and one over their standard deviations."""

    @staticmethod
    def forward(xp: Module, x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, tuple[Array, ...]]:
        rows = np.ascontiguousarray(x).reshape(-1, x.shape[-1])             # (N, C)
        y, normalized, rstd = np.empty_like(rows), np.empty_like(rows), np.empty((len(rows), 1), rows.dtype)
        choose_loop(layer_norm, rows)(rows, weight, bias, eps, y, normalized, rstd)
        return y.reshape(x.shape), (normalized, rstd, weight)

    @staticmethod
    def backward(xp: Module, gy: Array, normalized: Array, rstd: Array, weight: Array) -> tuple[Array, Array, Array]:
        rows = np.ascontiguousarray(gy).reshape(normalized.shape)           # (N, C)
        gx, gweight, gbias = np.empty_like(normalized), np.zeros_like(weight), np.zeros_like(weight)
        choose_loop(layer_norm_gradient, rows)(rows, normalized, rstd, weight, gx, gweight, gbias)
        return gx.reshape(gy.shape), gweight, gbias


@fast(Linear, "numpy")
class LinearInPlace:
    """Linear on rows or, where x is a view of (..., in, R) memory, weight.T @ x in that memory: no copy either way.

    The gradient of the bias, a sum over rows, is a product with ones, as in LayerNorm: half the time.
    """

    @staticmethod
    def forward(xp: Module, x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, Array, bool]]:
        x, swapped = dense(x)
        if swapped and x.ndim > 2:                                          # x: (..., in, R)
            y = weight.T @ x                                                # (..., out, R)
            y += bias[:, None]
            return y.swapaxes(-1, -2), (x, weight, True)
        x = swap(x, swapped)
        y = x.reshape(-1, x.shape[-1]) @ weight                             # (N, out)
        y += bias
        return y.reshape(*x.shape[:-1], weight.shape[1]), (x, weight, False)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, weight: Array, swapped: bool) -> tuple[Array, Array, Array]:
        n_in, n_out = weight.shape
        if swapped:
            g = np.ascontiguousarray(gy.swapaxes(-1, -2))                   # (..., out, R)
            gx = weight @ g                                                 # (..., in, R)
            gweight = (x @ gy).reshape(-1, n_in, n_out).sum(0)
            per_item = g @ np.ones(g.shape[-1], g.dtype)                    # (..., out)
            return gx.swapaxes(-1, -2), gweight, per_item.reshape(-1, n_out).sum(0)
        rows = gy.reshape(-1, n_out)                                        # (N, out)
        gx = (rows @ weight.T).reshape(x.shape)
        return gx, x.reshape(-1, n_in).T @ rows, np.ones(len(rows), rows.dtype) @ rows


def adamw(p: Array, g: Array, m: Array, v: Array, keep: float, rate: float, beta1: float, beta2: float, v_bias: float,
          eps: float) -> None:
    """Set p = keep p - rate m / (sqrt(v / v_bias) + eps), m and v moved towards g and its square.  All flat."""
    buffer = np.empty(min(BLOCK, p.size), p.dtype)
    for pb, gb, mb, vb in blocks(p, g, m, v):
        b = buffer[:pb.size]
        np.subtract(gb, mb, out=b)
        b *= 1 - beta1
        mb += b
        np.multiply(gb, gb, out=b)
        b -= vb
        b *= 1 - beta2
        vb += b
        np.divide(vb, v_bias, out=b)
        np.sqrt(b, out=b)
        b += eps
        np.divide(mb, b, out=b)
        b *= rate
        pb *= keep
        pb -= b


@fast(adamw_update, "numpy")
def adamw_in_place(xp: Module, p: Array, g: Array, m: Array, v: Array, *, lr: float, beta1: float, beta2: float,
                   eps: float, weight_decay: float, step: int) -> None:
    """AdamW through one small buffer, so that every array is read and written once from memory."""
    if not (p.flags.c_contiguous and m.flags.c_contiguous and v.flags.c_contiguous):
        adamw_update(xp, p, g, m, v, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, step=step)
        return                              # a flat view of them would be a copy
    choose_loop(adamw, p)(p.reshape(-1), np.ascontiguousarray(g).reshape(-1), m.reshape(-1), v.reshape(-1),
                          1 - lr * weight_decay, lr / (1 - beta1**step), beta1, beta2, 1 - beta2**step, eps)
