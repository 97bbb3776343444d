"""Linear for CuPy, by cuBLAS on the memory as it lies."""

from typing import Any

from minimixer.backend import Array, Module
from minimixer.ops.cublas import product
from minimixer.ops.cuda import check_dtypes, column_sums, is_swapped, plain
from minimixer.ops.op import Op


class Linear(Op):
    """One product of all rows; of a swapped view, one product per image, which gives a swapped view."""

    @staticmethod
    def forward(xp: Module, x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, Array, Any]]:
        check_dtypes(x, weight, bias)
        if is_swapped(x):
            y = product(xp, weight.T, x.swapaxes(1, 2))                     # (B, out, N)
            y += bias[:, None]
            return y.swapaxes(1, 2), (x, weight, x.shape)                   # (B, N, out)
        rows = x.reshape(-1, x.shape[-1])                                   # (N, in)
        y = product(xp, rows, weight)                                       # (N, out)
        y += bias
        return y.reshape(*x.shape[:-1], weight.shape[1]), (rows, weight, x.shape)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, weight: Array, shape: Any) -> tuple[Array, Array, Array]:
        if is_swapped(x):
            g, = plain(xp, gy.swapaxes(1, 2))                               # (B, out, N)
            gx = product(xp, weight, g).swapaxes(1, 2)                      # (B, N, in)
            gweights = product(xp, x.swapaxes(1, 2), g.swapaxes(1, 2))      # (B, in, out)  of every image
            gweight = column_sums(xp, gweights.reshape(len(x), -1)).reshape(weight.shape)
            return gx, gweight, column_sums(xp, g.sum(2))
        g, = plain(xp, gy.reshape(-1, weight.shape[1]))                     # (N, out)
        return product(xp, g, weight.T).reshape(shape), product(xp, x.T, g), column_sums(xp, g)
