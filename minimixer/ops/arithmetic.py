"""Elementwise ops.  Operands broadcast as in NumPy; a Python number stays one and gets no gradient."""

from typing import Any

from minimixer.backend import Array, Module
from minimixer.ops.op import Like, Op, like, unbroadcast


class Broadcasting(Op):
    """An op of two operands that broadcast."""

    expects = "shapes that broadcast: compared from the right, two axes are equal or one of them is 1"


class Add(Broadcasting):
    """y = a + b."""

    @staticmethod
    def forward(xp: Module, a: Array, b: Array) -> tuple[Array, tuple[Like, Like]]:
        return a + b, (like(a), like(b))

    @staticmethod
    def backward(xp: Module, gy: Array, a: Like, b: Like) -> tuple[Any, Any]:
        return unbroadcast(gy, a), unbroadcast(gy, b)


class Subtract(Broadcasting):
    """y = a - b."""

    @staticmethod
    def forward(xp: Module, a: Array, b: Array) -> tuple[Array, tuple[Like, Like]]:
        return a - b, (like(a), like(b))

    @staticmethod
    def backward(xp: Module, gy: Array, a: Like, b: Like) -> tuple[Any, Any]:
        return unbroadcast(gy, a), unbroadcast(-gy, b)


class Multiply(Broadcasting):
    """y = a * b, element by element."""

    @staticmethod
    def forward(xp: Module, a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return a * b, (a, b)

    @staticmethod
    def backward(xp: Module, gy: Array, a: Array, b: Array) -> tuple[Any, Any]:
        return unbroadcast(gy * b, like(a)), unbroadcast(gy * a, like(b))


class Divide(Broadcasting):
    """y = a / b, element by element."""

    @staticmethod
    def forward(xp: Module, a: Array, b: Array) -> tuple[Array, tuple[Like, Array, Array]]:
        y = a / b
        return y, (like(a), b, y)

    @staticmethod
    def backward(xp: Module, gy: Array, a: Like, b: Array, y: Array) -> tuple[Any, Any]:
        g = gy / b
        return unbroadcast(g, a), unbroadcast(-g * y, like(b))      # -a / b^2 = -y / b


class Negative(Op):
    """y = -x."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[()]]:
        return -x, ()

    @staticmethod
    def backward(xp: Module, gy: Array) -> Array:
        return -gy


class Power(Op):
    """y = x ** n, n a Python number."""

    @staticmethod
    def forward(xp: Module, x: Array, n: float) -> tuple[Array, tuple[Array, float]]:
        return x**n, (x, n)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, n: float) -> Array:
        if n == 0:
            return xp.zeros_like(x)         # x ** -1 would be infinite at 0
        return gy * (n * x ** (n - 1))


class Exp(Op):
    """y = e ** x."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        y = xp.exp(x)
        return y, (y,)

    @staticmethod
    def backward(xp: Module, gy: Array, y: Array) -> Array:
        return gy * y


class Log(Op):
    """y = ln(x)."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        return xp.log(x), (x,)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array) -> Array:
        return gy / x


class Sqrt(Op):
    """y = square root of x."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        y = xp.sqrt(x)
        return y, (y,)

    @staticmethod
    def backward(xp: Module, gy: Array, y: Array) -> Array:
        return 0.5 * gy / y


class Tanh(Op):
    """y = tanh(x)."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        y = xp.tanh(x)
        return y, (y,)

    @staticmethod
    def backward(xp: Module, gy: Array, y: Array) -> Array:
        return gy * (1 - y * y)


class PowerOf(Broadcasting):
    """y = a ** b, element by element; one of them may be a Python number."""

    @staticmethod
    def forward(xp: Module, a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        y = a**b
        return y, (a, b, y)

    @staticmethod
    def backward(xp: Module, gy: Array, a: Array, b: Array, y: Array) -> tuple[Any, Any]:
        to_a, to_b = like(a), like(b)
        a, b = xp.asarray(a, gy.dtype), xp.asarray(b, gy.dtype)
        ga = xp.where(b == 0, 0, b * a ** xp.where(b == 0, 1, b - 1)) if to_a else gy
        log_a = xp.log(xp.where((a == 0) & (b >= 0), 1, a))         # 0 ** b is 0 for all b > 0
        return unbroadcast(gy * ga, to_a), unbroadcast(gy * y * log_a, to_b) if to_b else None
