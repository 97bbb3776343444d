from typing import Any

from minimixer.backend import Array, Module
from minimixer.ops.op import Op, like, unbroadcast


class MatMul(Op):
    """y = a @ b, over the last two axes; the leading axes broadcast.  a: (..., n, k)  b: (..., k, m)  y: (..., n, m).

    A vector a counts as one row, a vector b as one column; y loses that axis again.  NumPy hands transposed views to
    BLAS as they are: no copy.
    """

    expects = ("(..., n, k) @ (..., k, m), perhaps after .swapaxes(-1, -2) of one, and leading axes that are equal "
               "or 1; for numbers use *")

    @staticmethod
    def forward(xp: Module, a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return a @ b, (a, b)

    @staticmethod
    def backward(xp: Module, gy: Array, a: Array, b: Array) -> tuple[Any, Any]:
        rows = a if a.ndim > 1 else a[None, :]              # (..., n, k)
        columns = b if b.ndim > 1 else b[:, None]           # (..., k, m)
        gy = gy if b.ndim > 1 else gy[..., None]            # (..., n, m)
        gy = gy if a.ndim > 1 else gy[..., None, :]         # (..., n, m)
        ga = unbroadcast(gy @ columns.swapaxes(-1, -2), like(rows))
        gb = unbroadcast(rows.swapaxes(-1, -2) @ gy, like(columns))
        return ga.reshape(a.shape), gb.reshape(b.shape)
