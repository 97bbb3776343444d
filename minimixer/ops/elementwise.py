"""Functions of one number, element by element.  x, y: (...)."""

from minimixer.backend import Array, Module
from minimixer.ops.op import Op


class Abs(Op):
    """y = |x|; the gradient at 0 is 0."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        return abs(x), (x,)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array) -> Array:
        return gy * xp.sign(x)


class Sign(Op):
    """y = -1, 0 or 1, as x is below, at or above 0; flat, so the gradient is 0."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[()]]:
        return xp.sign(x), ()

    @staticmethod
    def backward(xp: Module, gy: Array) -> Array:
        return xp.zeros_like(gy)


class Sin(Op):
    """y = sin(x), x in radians."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        return xp.sin(x), (x,)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array) -> Array:
        return gy * xp.cos(x)


class Cos(Op):
    """y = cos(x), x in radians."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        return xp.cos(x), (x,)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array) -> Array:
        return -gy * xp.sin(x)


class Sinh(Op):
    """y = (e^x - e^-x) / 2."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        return xp.sinh(x), (x,)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array) -> Array:
        return gy * xp.cosh(x)


class Cosh(Op):
    """y = (e^x + e^-x) / 2."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        return xp.cosh(x), (x,)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array) -> Array:
        return gy * xp.sinh(x)


class Log1p(Op):
    """y = ln(1 + x), exact for small x."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        return xp.log1p(x), (x,)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array) -> Array:
        return gy / (1 + x)


class Expm1(Op):
    """y = e^x - 1, exact for small x."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        y = xp.expm1(x)
        return y, (y,)

    @staticmethod
    def backward(xp: Module, gy: Array, y: Array) -> Array:
        return gy * (y + 1)


class Sigmoid(Op):
    """y = 1 / (1 + e^-x)."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        y = xp.exp(-xp.logaddexp(x.dtype.type(0), -x))          # no overflow, and a small y keeps its digits
        return y, (y,)

    @staticmethod
    def backward(xp: Module, gy: Array, y: Array) -> Array:
        return gy * y * (1 - y)
