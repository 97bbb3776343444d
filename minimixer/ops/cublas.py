"""Products on a GPU.  cuBLAS multiplies matrices as they lie, by rows or by columns, without a copy.

It is called directly: CuPy's own products copy transposed stacks, know no TF32 for them, and refuse to be recorded as a
graph.  cuBLAS counts columns first, so to it every array here is its own transpose: y = a @ b is asked for as
y.T = b.T @ a.T.
"""

import ctypes
import functools
import importlib
import threading
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from minimixer.backend import Array, Module, matmul_precision

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
    """Memory for cuBLAS, one per stream: with a fixed size it chooses the same algorithm, recorded or not."""
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
