"""Linear and MatMul on a GPU.  cuBLAS multiplies matrices as they lie, by rows or by columns, without a copy.

It is called directly: CuPy's own products copy transposed stacks, know no TF32 for them, and refuse to be recorded as a
graph.  cuBLAS counts columns first, so to it every array here is its own transpose: y = a @ b is asked for as
y.T = b.T @ a.T.
"""

import ctypes
import functools
import importlib
import math
import threading
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from minimixer.backend import Array, Module, matmul_precision
from minimixer.kernels.cuda import REALS, check_dtypes, column_sums, is_swapped, plain
from minimixer.kernels.registry import fast
from minimixer.ops.linear import Linear, MatMul

# cuBLAS's numbers for types of elements, and for ways to add products up
R_32F, R_64F, COMPUTE_32F, COMPUTE_64F, COMPUTE_32F_FAST_TF32, GEMM_DEFAULT = 0, 1, 68, 70, 77, -1
WORKSPACE = 32 << 20        # bytes: what NVIDIA advises from Hopper on


@functools.cache
def cublas() -> Any:
    """The library that CuPy has loaded."""
    library = ctypes.CDLL(importlib.import_module("cupy_backends.cuda.libs").cublas.__file__)
    pointer: Any = ctypes.c_void_p
    number = ctypes.c_int
    one = [pointer, number, number]              # address, type, distance
    many = [*one, ctypes.c_longlong]
    start = [pointer, *[number] * 5, pointer]               # handle, transposed or not, sizes, alpha
    library.cublasSetStream_v2.argtypes = [pointer, pointer]
    library.cublasSetWorkspace_v2.argtypes = [pointer, pointer, ctypes.c_size_t]
    library.cublasGemmEx.argtypes = [*start, *one, *one, pointer, *one, number, number]
    library.cublasGemmStridedBatchedEx.argtypes = [*start, *many, *many, pointer, *many, number, number, number]
    return library


def call(name: str, *arguments: Any) -> None:
    """Call a function of cuBLAS.  Raises RuntimeError if it does not succeed."""
    if status := getattr(cublas(), name)(*arguments):
        raise RuntimeError(f"{name} of cuBLAS failed with status {status}: is the GPU's memory full?")


class _Thread(threading.local):
    def __init__(self) -> None:
        self.workspaces: WeakKeyDictionary[Any, Array] = WeakKeyDictionary()


_thread = _Thread()


def workspace(xp: Module, stream: Any) -> Array:
    """Memory for cuBLAS, one a stream: given as much, it chooses alike whether or not it is being recorded."""
    if stream not in _thread.workspaces:
        with xp.cuda.using_allocator():             # from no pool, such as that of a graph
            _thread.workspaces[stream] = xp.empty(WORKSPACE, xp.uint8)
    return _thread.workspaces[stream]


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


def product(xp: Module, a: Array, b: Array) -> Array:
    """Multiply matrices, y = a @ b.

    a: (n, k), b: (k, m), y: (n, m); or a stack of them, a: (B, n, k), or (n, k) for all, b: (B, k, m), y: (B, n, m).
    """
    (*stack, k, m), n = b.shape, a.shape[-2]
    y = xp.empty((*stack, n, m), a.dtype)
    if not y.size or not k:
        y.fill(0)
        return y
    one, zero = np.ones(1, a.dtype), np.zeros(1, a.dtype)           # read during the call
    kind, sums = (R_64F, COMPUTE_64F) if a.dtype == np.float64 else (
        R_32F, COMPUTE_32F_FAST_TF32 if matmul_precision() == "tf32" else COMPUTE_32F)
    a, a_by_columns, a_step, a_next = layout(xp, a)
    b, b_by_columns, b_step, b_next = layout(xp, b)
    handle, stream = xp.cuda.device.get_cublas_handle(), xp.cuda.get_current_stream()
    call("cublasSetStream_v2", handle, stream.ptr)                  # which forgets the workspace
    call("cublasSetWorkspace_v2", handle, workspace(xp, stream).data.ptr, WORKSPACE)
    start = handle, int(b_by_columns), int(a_by_columns), m, n, k, one.ctypes.data
    if stack:
        call("cublasGemmStridedBatchedEx", *start, b.data.ptr, kind, b_step, b_next, a.data.ptr, kind, a_step, a_next,
             zero.ctypes.data, y.data.ptr, kind, m, n * m, *stack, sums, GEMM_DEFAULT)
    else:
        call("cublasGemmEx", *start, b.data.ptr, kind, b_step, a.data.ptr, kind, a_step, zero.ctypes.data, y.data.ptr,
             kind, m, sums, GEMM_DEFAULT)
    return y


@fast(Linear, "cupy")
class LinearWhereItLies:
    """Linear as one product of all rows; of a swapped view, as one for each picture, which gives a swapped view."""

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
            gweights = product(xp, x.swapaxes(1, 2), g.swapaxes(1, 2))      # (B, in, out)  of every picture
            gweight = column_sums(xp, gweights.reshape(len(x), -1)).reshape(weight.shape)
            return gx, gweight, column_sums(xp, g.sum(2))
        g, = plain(xp, gy.reshape(-1, weight.shape[1]))                     # (N, out)
        return product(xp, g, weight.T).reshape(shape), product(xp, x.T, g), column_sums(xp, g)


@fast(MatMul, "cupy")
class MatMulAsOneStack:
    """Products of matrices, or of stacks of equal lengths, by cuBLAS; where axes broadcast, as they are written."""

    @staticmethod
    def forward(xp: Module, a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return stacked(xp, a, b), (a, b)

    @staticmethod
    def backward(xp: Module, gy: Array, a: Array, b: Array) -> tuple[Any, Any]:
        if not are_alike(a, b):
            return MatMul.backward(xp, gy, a, b)
        return stacked(xp, gy, b.swapaxes(-1, -2)), stacked(xp, a.swapaxes(-1, -2), gy)


def are_alike(a: Array, b: Array) -> bool:
    """Whether they are matrices or stacks of equal leading axes, of one real type, and fit."""
    return (a.dtype in REALS and a.dtype == b.dtype and a.ndim == b.ndim > 1 and a.shape[:-2] == b.shape[:-2]
            and a.shape[-1] == b.shape[-2])


def stacked(xp: Module, a: Array, b: Array) -> Array:
    """Multiply, y = a @ b.  a: (..., n, k), b: (..., k, m), y: (..., n, m)."""
    if not are_alike(a, b):
        return a @ b
    if a.ndim == 2:
        return product(xp, a, b)
    count = math.prod(a.shape[:-2])
    return product(xp, *(x.reshape(count, *x.shape[-2:]) for x in (a, b))).reshape(*a.shape[:-1], b.shape[-1])
