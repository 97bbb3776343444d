from minimixer.backend import Array, Module
from minimixer.ops.op import Op


class ReLU(Op):
    """y = max(x, 0), element by element; the gradient at 0 is taken to be 0.  x, y: (...)."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        y = xp.maximum(x, 0)
        return y, (y,)

    @staticmethod
    def backward(xp: Module, gy: Array, y: Array) -> Array:
        return xp.where(y <= 0, 0, gy)      # not gy * (y > 0): an infinite gy times 0 is NaN
