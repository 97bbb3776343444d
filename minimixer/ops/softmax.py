from minimixer.backend import Array, Module
from minimixer.ops.op import Op


class Softmax(Op):
    """y_i = exp(x_i) / sum_j exp(x_j), over the last axis.  x, y: (..., K)."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        largest = x.max(-1, keepdims=True) if x.size else 0
        e = xp.exp(x - largest)                         # the shift changes nothing but keeps exp finite
        y = e / e.sum(-1, keepdims=True)
        return y, (y,)

    @staticmethod
    def backward(xp: Module, gy: Array, y: Array) -> Array:
        return y * (gy - (gy * y).sum(-1, keepdims=True))
