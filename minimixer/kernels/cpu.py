"""Faster pairs for NumPy: the same formulas in place, on buffers of their own, in blocks that stay in the cache.

A transposed view of dense memory is never copied: elementwise work does not care which axis is last, and a Linear layer
on a swapped (B, C, S) view is computed in the (B, S, C) memory below it and handed back swapped.  Each pair is proved
equal to the op it replaces in tests/kernels/test_cpu.py.
"""

from collections.abc import Iterator

import numpy as np

from minimixer.backend import Array, Module
from minimixer.kernels.registry import fast
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
    """Walk through C-contiguous arrays of one size, block by block, as flat views."""
    flat = [a.reshape(-1) for a in arrays]
    for start in range(0, flat[0].size, BLOCK):
        yield tuple([a[start:start + BLOCK] for a in flat])


@fast(Gelu, "numpy")
class GeluBlocks:
    """GELU, tanh form.  Saves x and s = Phi(x) = (1 + tanh u) / 2, u = sqrt(2/pi) (x + 0.044715 x^3)."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array, Array, bool]]:
        x, swapped = dense(x)
        y, s = np.empty_like(x), np.empty_like(x)
        for xb, yb, sb in blocks(x, y, s):
            np.multiply(xb, xb, out=sb)
            sb *= CUBIC * SQRT_2_OVER_PI
            sb += SQRT_2_OVER_PI
            sb *= xb                            # u
            np.tanh(sb, out=sb)
            sb *= 0.5
            sb += 0.5
            np.multiply(xb, sb, out=yb)
        return swap(y, swapped), (x, s, swapped)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, s: Array, swapped: bool) -> Array:
        gy = np.ascontiguousarray(swap(gy, swapped))
        gx = np.empty_like(x)
        rest = np.empty(min(BLOCK, x.size), x.dtype)
        for gyb, xb, sb, gxb in blocks(gy, x, s, gx):
            scratch = rest[:xb.size]
            np.multiply(xb, xb, out=gxb)        # y' = s + x s', s' = 2 s (1 - s) u'
            gxb *= 6 * CUBIC * SQRT_2_OVER_PI
            gxb += 2 * SQRT_2_OVER_PI           # 2 u'
            gxb *= xb
            np.subtract(1, sb, out=scratch)
            gxb *= scratch
            gxb += 1
            gxb *= sb                           # s (1 + x (1 - s) 2 u')
            gxb *= gyb
        return swap(gx, swapped)


@fast(LayerNorm, "numpy")
class LayerNormBlocks:
    """LayerNorm whose sums over rows and columns are products with a vector, which BLAS does at the speed of memory."""

    @staticmethod
    def forward(xp: Module, x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, tuple[Array, ...]]:
        rows = np.ascontiguousarray(x).reshape(-1, x.shape[-1])             # (N, C)
        n, c = rows.shape
        y, normalized = np.empty_like(rows), np.empty_like(rows)
        rstd = np.empty((n, 1), rows.dtype)
        average = np.full(c, 1 / c, rows.dtype)
        step = max(1, BLOCK // c)
        for i in range(0, n, step):
            b = slice(i, i + step)
            np.subtract(rows[b], (rows[b] @ average)[:, None], out=normalized[b])
            np.multiply(normalized[b], normalized[b], out=y[b])
            rstd[b, 0] = 1 / np.sqrt(y[b] @ average + eps)
            normalized[b] *= rstd[b]
            np.multiply(normalized[b], weight, out=y[b])
            y[b] += bias
        return y.reshape(x.shape), (normalized, rstd, weight)

    @staticmethod
    def backward(xp: Module, gy: Array, normalized: Array, rstd: Array, weight: Array) -> tuple[Array, Array, Array]:
        n, c = normalized.shape
        rows = np.ascontiguousarray(gy).reshape(n, c)
        gx = np.empty_like(normalized)
        gweight, gbias = np.zeros_like(weight), np.zeros_like(weight)
        average = weight / c
        step = max(1, BLOCK // c)
        product = np.empty((min(step, n), c), gx.dtype)
        ones = np.ones(min(step, n), gx.dtype)
        for i in range(0, n, step):
            b = slice(i, i + step)
            p, one = product[:len(rows[b])], ones[:len(rows[b])]
            np.multiply(rows[b], normalized[b], out=p)
            gweight += one @ p
            gbias += one @ rows[b]
            mean_g, mean_gx = (rows[b] @ average)[:, None], (p @ average)[:, None]      # (n, 1)
            np.multiply(rows[b], weight, out=gx[b])
            gx[b] -= mean_g
            np.multiply(normalized[b], mean_gx, out=p)
            gx[b] -= p
            gx[b] *= rstd[b]
        return gx.reshape(gy.shape), gweight, gbias


@fast(Linear, "numpy")
class LinearInPlace:
    """Linear on rows or, where x is a view of (..., in, R) memory, weight.T @ x in that memory: no copy either way."""

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
        return y.reshape(*x.shape[:-1], -1), (x, weight, False)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, weight: Array, swapped: bool) -> tuple[Array, Array, Array]:
        n_in, n_out = weight.shape
        if swapped:
            g = np.ascontiguousarray(gy.swapaxes(-1, -2))                   # (..., out, R)
            gx = weight @ g                                                 # (..., in, R)
            gweight = (x @ gy).reshape(-1, n_in, n_out).sum(0)
            return gx.swapaxes(-1, -2), gweight, g.reshape(-1, *g.shape[-2:]).sum((0, 2))
        rows = gy.reshape(-1, n_out)                                        # (N, out)
        gx = (rows @ weight.T).reshape(x.shape)
        return gx, x.reshape(-1, n_in).T @ rows, rows.sum(0)


@fast(adamw_update, "numpy")
def adamw_in_place(xp: Module, p: Array, g: Array, m: Array, v: Array, *, lr: float, beta1: float, beta2: float,
                   eps: float, weight_decay: float, step: int) -> None:
    """AdamW through one small buffer, so that every array is read and written once from memory."""
    if not (p.flags.c_contiguous and m.flags.c_contiguous and v.flags.c_contiguous):
        adamw_update(xp, p, g, m, v, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, step=step)
        return                              # a flat view of them would be a copy
    buffer = np.empty(min(BLOCK, p.size), p.dtype)
    m_bias, v_bias = 1 - beta1**step, 1 - beta2**step
    for pb, gb, mb, vb in blocks(p, np.ascontiguousarray(g), m, v):
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
        b *= lr / m_bias
        pb *= 1 - lr * weight_decay
        pb -= b
