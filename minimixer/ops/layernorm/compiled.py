"""LayerNorm for NumPy's float32: ``inplace.py`` with its two loops compiled, row by row."""

import numpy as np

from minimixer.backend import Array
from minimixer.ops.compile import compiled
from minimixer.ops.layernorm import inplace

ROWS = 32           # whose gradients are summed before they join the others
F = np.float32
FLAT = F(inplace.ROUNDING[4])


@compiled
def layer_norm(x: Array, weight: Array, bias: Array, eps: float, y: Array, normalized: Array, rstd: Array) -> None:
    """Row by row: mean, variance, result."""
    n, c = x.shape
    for i in range(n):
        total = F(0)
        for j in range(c):
            total += x[i, j]
        mean = total / F(c)
        squares = F(0)
        for j in range(c):
            squares += (x[i, j] - mean) ** 2
        rstd[i, 0] = F(1) / np.sqrt(squares / F(c) + F(eps))
        for j in range(c):
            normalized[i, j] = (x[i, j] - mean) * rstd[i, 0]
            y[i, j] = normalized[i, j] * weight[j] + bias[j]
    for i in range(n):                                          # flat rows once more, as in inplace.py
        if rstd[i, 0] * rstd[i, 0] * ((FLAT * F(c + 20) * x[i, 0]) ** 2 + F(eps)) > F(0.99999):
            total = F(0)
            for j in range(c):
                normalized[i, j] /= rstd[i, 0]
                total += normalized[i, j]
            squares = F(0)
            for j in range(c):
                normalized[i, j] -= total / F(c)
                squares += normalized[i, j] ** 2
            rstd[i, 0] = F(1) / np.sqrt(squares / F(c) + F(eps))
            for j in range(c):
                normalized[i, j] *= rstd[i, 0]
                y[i, j] = normalized[i, j] * weight[j] + bias[j]


@compiled
def layer_norm_gradient(gy: Array, normalized: Array, rstd: Array, weight: Array, gx: Array, gweight: Array,
                        gbias: Array) -> None:
    """Row by row: the two sums, then the three terms.  Sums over few rows first: that rounds less."""
    n, c = gy.shape
    few_gweight, few_gbias = np.zeros(c, F), np.zeros(c, F)
    for i in range(n):
        sum_g, sum_gx = F(0), F(0)
        for j in range(c):
            g = gy[i, j] * weight[j]
            sum_g += g
            sum_gx += g * normalized[i, j]
        for j in range(c):
            gx[i, j] = (gy[i, j] * weight[j] - sum_g / F(c) - normalized[i, j] * (sum_gx / F(c))) * rstd[i, 0]
            few_gweight[j] += gy[i, j] * normalized[i, j]
            few_gbias[j] += gy[i, j]
        if i % ROWS == ROWS - 1 or i == n - 1:
            for j in range(c):
                gweight[j] += few_gweight[j]
                gbias[j] += few_gbias[j]
                few_gweight[j] = few_gbias[j] = F(0)


class LayerNorm(inplace.LayerNorm):
    """As there, with compiled loops."""

    loop, gradient_loop = staticmethod(layer_norm), staticmethod(layer_norm_gradient)
