"""Takes the place of CuPy's bindings of cuBLAS: what its manual says of one function, on addresses of the stand-in."""

import ctypes

import numpy as np

from tests import standin

CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_64F, CUBLAS_GEMM_DEFAULT = 68, 77, 70, -1
TYPES = {0: np.float32, 1: np.float64}              # cudaDataType
called = []


def _matrices(address, kind, rows, columns, step, distance, batch):
    """Matrices whose columns follow each other after ``step`` elements: (batch, rows, columns)."""
    assert step >= max(1, rows), "on entry to SGEMM a leading dimension had an illegal value"
    size = np.dtype(TYPES[kind]).itemsize
    length = (batch - 1) * distance + (columns - 1) * step + rows
    memory = np.frombuffer((ctypes.c_char * (length * size)).from_address(address), TYPES[kind])
    return np.lib.stride_tricks.as_strided(memory, (batch, rows, columns), (distance * size, size, step * size))


def gemmStridedBatchedEx(handle, a_is_transposed, b_is_transposed, m, n, k, alpha, a, a_kind, a_step, a_distance,
                         b, b_kind, b_step, b_distance, beta, c, c_kind, c_step, c_distance, batch, compute, algorithm):
    """C = alpha op(A) op(B) + beta C for every matrix of a stack."""
    assert handle == "handle"
    assert compute == (CUBLAS_COMPUTE_64F if c_kind else CUBLAS_COMPUTE_32F)
    called.append((m, n, k, batch))
    factors = [float(_matrices(address, c_kind, 1, 1, 1, 0, 1)[0, 0, 0]) for address in (alpha, beta)]

    left = (_matrices(a, a_kind, k, m, a_step, a_distance, batch).swapaxes(1, 2) if a_is_transposed else
            _matrices(a, a_kind, m, k, a_step, a_distance, batch))
    right = (_matrices(b, b_kind, n, k, b_step, b_distance, batch).swapaxes(1, 2) if b_is_transposed else
             _matrices(b, b_kind, k, n, b_step, b_distance, batch))
    result = _matrices(c, c_kind, m, n, c_step, c_distance, batch)

    def multiply():
        result[...] = factors[0] * (left @ right) + (factors[1] * result if factors[1] else 0)

    standin.run("gemmStridedBatchedEx", multiply, left, right, result)
