"""MatMul for CuPy, by cuBLAS."""

import math
from typing import Any

from minimixer.backend import Array, Module
from minimixer.ops.cublas import product
from minimixer.ops.cuda import REALS
from minimixer.ops.matmul import reference
from minimixer.ops.op import Op


class MatMul(Op):
    """Products of matrices, or of stacks of equal lengths, by cuBLAS; where axes broadcast, as they are written."""

    @staticmethod
    def forward(xp: Module, a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return stacked(xp, a, b), (a, b)

    @staticmethod
    def backward(xp: Module, gy: Array, a: Array, b: Array) -> tuple[Any, Any]:
        if not are_alike(a, b):
            return reference.MatMul.backward(xp, gy, a, b)
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
