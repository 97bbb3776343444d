"""Ops that take each element from one of two operands, which broadcast as in NumPy."""

from typing import Any

from minimixer.backend import Array, Module
from minimixer.ops.arithmetic import Broadcasting
from minimixer.ops.op import Like, like, unbroadcast


class Maximum(Broadcasting):
    """y = the larger of a and b; equal ones share the gradient evenly, and both get that of NaN."""

    @staticmethod
    def forward(xp: Module, a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return xp.maximum(a, b), (a, b)

    @staticmethod
    def backward(xp: Module, gy: Array, a: Array, b: Array) -> tuple[Any, Any]:
        half = xp.where(a == b, 0.5 * gy, gy)
        return (unbroadcast(xp.where(a < b, 0, half), like(a)), unbroadcast(xp.where(a > b, 0, half), like(b)))


class Minimum(Broadcasting):
    """y = the smaller of a and b; equal ones share the gradient evenly, and both get that of NaN."""

    @staticmethod
    def forward(xp: Module, a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return xp.minimum(a, b), (a, b)

    @staticmethod
    def backward(xp: Module, gy: Array, a: Array, b: Array) -> tuple[Any, Any]:
        half = xp.where(a == b, 0.5 * gy, gy)
        return (unbroadcast(xp.where(a > b, 0, half), like(a)), unbroadcast(xp.where(a < b, 0, half), like(b)))


class Where(Broadcasting):
    """y = a where the condition holds, else b.  The condition, of booleans, gets no gradient."""

    @staticmethod
    def forward(xp: Module, a: Array, b: Array, condition: Array) -> tuple[Array, tuple[Any, ...]]:
        return xp.where(condition, a, b), (condition, like(a), like(b))

    @staticmethod
    def backward(xp: Module, gy: Array, condition: Array, a: Like, b: Like) -> tuple[Any, Any, None]:
        return (unbroadcast(xp.where(condition, gy, 0), a) if a else None,
                unbroadcast(xp.where(condition, 0, gy), b) if b else None, None)
