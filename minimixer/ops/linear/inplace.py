"""Linear for NumPy: BLAS on the memory as it lies, rows or columns."""

import numpy as np

from minimixer.backend import Array, Module
from minimixer.ops.layout import dense, swap
from minimixer.ops.op import Op


class Linear(Op):
    """On rows or, where x is a view of (..., in, R) memory, weight.T @ x in that memory: no copy either way.

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
