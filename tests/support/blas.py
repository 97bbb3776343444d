"""Takes the place of the library of cuBLAS: what its manual says of four functions, on addresses of the stand-in."""

import ctypes

import numpy as np

from tests.support import standin

TYPES = {0: np.float32, 1: np.float64}              # cudaDataType
COMPUTE = {0: (68, 77), 1: (70,)}                   # cublasComputeType_t: float32, with TF32; float64
called = []                                         # sizes m, n, k, and how many matrices
settings = []                                       # of the handle
computed = []                                       # compute types


def cublasSetStream_v2(handle, stream):
    """Forgets the workspace too."""
    settings[:] = [handle, stream]
    return 0


def cublasSetWorkspace_v2(handle, address, size):
    """Memory that products may use until the stream is set again."""
    assert settings == [handle, standin.Stream.ptr]
    settings.append(size)
    return 0


def cublasGemmEx(handle, a_is_transposed, b_is_transposed, m, n, k, alpha, a, a_kind, a_step, b, b_kind, b_step, beta,
                 c, c_kind, c_step, compute, algorithm):
    """C = alpha op(A) op(B) + beta C."""
    return cublasGemmStridedBatchedEx(
        handle, a_is_transposed, b_is_transposed, m, n, k, alpha, a, a_kind, a_step, 0, b, b_kind, b_step, 0, beta, c,
        c_kind, c_step, 0, 1, compute, algorithm)


def cublasGemmStridedBatchedEx(handle, a_is_transposed, b_is_transposed, m, n, k, alpha, a, a_kind, a_step, a_distance,
                               b, b_kind, b_step, b_distance, beta, c, c_kind, c_step, c_distance, batch, compute,
                               algorithm):
    """C = alpha op(A) op(B) + beta C for every matrix of a stack."""
    if len(settings) < 3 or compute not in COMPUTE[c_kind] or a_kind != c_kind or b_kind != c_kind:
        return 7                                    # CUBLAS_STATUS_INVALID_VALUE
    called.append((m, n, k, batch))
    computed.append(compute)
    alpha, beta = (float(_matrices(address, c_kind, 1, 1, 1, 0, 1)[0, 0, 0]) for address in (alpha, beta))
    left = (_matrices(a, a_kind, k, m, a_step, a_distance, batch).swapaxes(1, 2) if a_is_transposed else
            _matrices(a, a_kind, m, k, a_step, a_distance, batch))
    right = (_matrices(b, b_kind, n, k, b_step, b_distance, batch).swapaxes(1, 2) if b_is_transposed else
             _matrices(b, b_kind, k, n, b_step, b_distance, batch))
    result = _matrices(c, c_kind, m, n, c_step, c_distance, batch)

    def multiply():
        result[...] = alpha * (left @ right) + (beta * result if beta else 0)

    standin.run("gemm", multiply, left, right, result)
    return 0


def _matrices(address, kind, rows, columns, step, distance, batch):
    """Matrices whose columns follow each other after ``step`` elements: (batch, rows, columns)."""
    assert step >= max(1, rows), "on entry to SGEMM a leading dimension had an illegal value"
    size = np.dtype(TYPES[kind]).itemsize
    length = (batch - 1) * distance + (columns - 1) * step + rows
    memory = np.frombuffer((ctypes.c_char * (length * size)).from_address(address), TYPES[kind])
    return np.lib.stride_tricks.as_strided(memory, (batch, rows, columns), (distance * size, size, step * size))
