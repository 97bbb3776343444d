from minimixer.backend import Array, Module
from minimixer.ops.op import Op


class LayerNorm(Op):
    """y = (x - mean) / sqrt(variance + eps) * weight + bias, over the last axis (Ba et al. 2016, arXiv 1607.06450).

    x, y: (..., C)  weight, bias: (C,).  The variance is the biased one, computed in a second pass over x - mean.
    """

    @staticmethod
    def forward(xp: Module, x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, tuple[Array, ...]]:
        centered = x - x.mean(-1, keepdims=True)                         # (..., C)
        variance = (centered * centered).mean(-1, keepdims=True)          # (..., 1)
        rstd = 1 / xp.sqrt(variance + eps)                              # (..., 1)
        normalized = centered * rstd                                     # (..., C)
        return normalized * weight + bias, (normalized, rstd, weight)

    @staticmethod
    def backward(xp: Module, gy: Array, normalized: Array, rstd: Array, weight: Array) -> tuple[Array, ...]:
        g = gy * weight                                                 # (..., C)  gradient of `normalized`
        gx = rstd * (g                                                  # x itself,
                     - g.mean(-1, keepdims=True)                        # x through the mean,
                     - normalized * (g * normalized).mean(-1, keepdims=True))       # x through the variance
        leading = tuple(range(gy.ndim - 1))
        return gx, (gy * normalized).sum(leading), gy.sum(leading)
