"""Linear on a GPU.  cuBLAS multiplies matrices where they lie, by rows or by columns: no number moves in memory.

cuBLAS counts columns first, so to it every array here is its own transpose: y = a @ b is asked for as y.T = b.T @ a.T.
"""

import functools
import importlib
from typing import Any

import numpy as np

from minimixer.backend import Array, Module
from minimixer.kernels.cuda import REALS, column_sums, is_swapped, plain
from minimixer.kernels.registry import fast
from minimixer.ops.linear import Linear


@functools.cache
def cublas() -> Any:
    """CuPy's bindings of cuBLAS; they have no public name."""
    return importlib.import_module("cupy_backends.cuda.libs.cublas")


def arithmetic(xp: Module, dtype: Any) -> tuple[int, int]:
    """What cuBLAS calls a type of element, and how its products are added up: with TF32, if that is set."""
    runtime, library = xp.cuda.runtime, cublas()
    if dtype == np.float64:
        return runtime.CUDA_R_64F, library.CUBLAS_COMPUTE_64F
    linalg = importlib.import_module("cupy._core._routines_linalg")
    is_tf32 = linalg.get_compute_type(dtype) == linalg.COMPUTE_TYPE_TF32
    return runtime.CUDA_R_32F, library.CUBLAS_COMPUTE_32F_FAST_TF32 if is_tf32 else library.CUBLAS_COMPUTE_32F


def layout(xp: Module, matrices: Array) -> tuple[Array, bool, int, int]:
    """Matrices, copied unless they lie by rows or by columns; whether it is by columns; and two distances, in elements.

    The first is from a row (or column) to the next, the second from a matrix to the next, 0 if there is but one.
    """
    (*_, rows, columns), (*batch, down, across) = matrices.shape, matrices.strides
    size = matrices.itemsize
    if min(matrices.strides) >= 0:
        for by_columns, count, length, step, apart in ((False, rows, columns, across, down),
                                                       (True, columns, rows, down, across)):
            if (length == 1 or step == size) and (count == 1 or apart >= length * size):
                return matrices, by_columns, max(apart // size, length), batch[0] // size if batch else 0
    return layout(xp, matrices.copy())


def stacked_product(xp: Module, a: Array, b: Array) -> Array:
    """Multiply every matrix of a stack, y = a @ b.  a: (B, n, k), or (n, k) for all  b: (B, k, m)  y: (B, n, m).

    CuPy's own product of stacks copies transposed views, and knows no TF32.
    """
    (batch, k, m), n = b.shape, a.shape[-2]
    if not batch * n * m * k:
        return xp.zeros((batch, n, m), a.dtype)
    y = xp.empty((batch, n, m), a.dtype)
    kind, sums = arithmetic(xp, a.dtype)
    one, zero = np.ones(1, a.dtype), np.zeros(1, a.dtype)           # read during the call
    a, a_by_columns, a_step, a_next = layout(xp, a)
    b, b_by_columns, b_step, b_next = layout(xp, b)
    library = cublas()
    library.gemmStridedBatchedEx(
        xp.cuda.device.get_cublas_handle(), int(b_by_columns), int(a_by_columns), m, n, k, one.ctypes.data,
        b.data.ptr, kind, b_step, b_next, a.data.ptr, kind, a_step, a_next, zero.ctypes.data,
        y.data.ptr, kind, m, n * m, batch, sums, library.CUBLAS_GEMM_DEFAULT)
    return y


@fast(Linear, "cupy")
class LinearWhereItLies:
    """Linear as one product of all rows; of a swapped view, as one for each picture, which gives a swapped view."""

    @staticmethod
    def forward(xp: Module, x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, Array, Any]]:
        if is_swapped(x):
            y = stacked_product(xp, weight.T, x.swapaxes(1, 2))             # (B, out, N)
            y += bias[:, None]
            return y.swapaxes(1, 2), (x, weight, x.shape)                   # (B, N, out)
        rows = x.reshape(-1, x.shape[-1])                                   # (N, in)
        y = rows @ weight                                                   # (N, out)
        y += bias
        return y.reshape(*x.shape[:-1], weight.shape[1]), (rows, weight, x.shape)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, weight: Array, shape: Any) -> tuple[Array, Array, Array]:
        if is_swapped(x):
            g, = plain(xp, gy.swapaxes(1, 2))                               # (B, out, N)
            gx = stacked_product(xp, weight, g).swapaxes(1, 2)              # (B, N, in)
            gweights = stacked_product(xp, x.swapaxes(1, 2), g.swapaxes(1, 2))      # (B, in, out)  of every picture
            gweight = column_sums(xp, gweights.reshape(len(x), -1)).reshape(weight.shape)
            return gx, gweight, column_sums(xp, g.sum(2))
        g = gy.reshape(-1, weight.shape[1])                                 # (N, out)
        gbias = column_sums(xp, *plain(xp, g)) if g.dtype in REALS else g.sum(0)
        return (g @ weight.T).reshape(shape), x.T @ g, gbias
