"""Loops that Numba compiles: every array is read and written once, where NumPy makes a pass for each operation.

They replace functions of kernels/cpu.py, for float32, where Numba is installed (the extra ``compiled``) and within
``registry.compiled_loops``.  Rounding may differ from NumPy's; NaN and infinity stay what they are, for the trainer
watches the loss for them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from minimixer.backend import Array
from minimixer.kernels import cpu
from minimixer.kernels.registry import fast
from minimixer.ops.gelu import CUBIC, SQRT_2_OVER_PI

ROUNDING = {"contract", "reassoc", "arcp", "nsz"}       # all of fast math but what ignores NaN and infinity
ROWS = 32           # whose gradients are summed before they join the others
F = np.float32
ONE, CUBE, ROOT = F(1), F(CUBIC), F(SQRT_2_OVER_PI)

# 2 to the power r, r in -0.5..0.5: the Taylor series, whose terms are (r ln 2)^k / k!
C1, C2, C3, C4, C5, C6 = (F(np.log(2) ** k / np.prod(np.arange(1.0, k + 1))) for k in range(1, 7))


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call; the machine code is kept on disk.  While a loop runs, so do other threads."""
    options = {"nogil": True, "fastmath": ROUNDING, "error_model": "numpy"}
    try:
        return njit(function, cache=True, **options)
    except RuntimeError:                                # no folder to write to
        return njit(function, **options)


@njit(inline="always")      # type: ignore[untyped-decorator]
def power_of_two(z: float) -> float:
    """2^z = 2^n 2^r, n whole and r in -0.5..0.5; 2^n is a float whose exponent bits are n + 127.  |z| <= 126."""
    n = np.floor(z + F(0.5))
    r = z - n
    fraction = ONE + r * (C1 + r * (C2 + r * (C3 + r * (C4 + r * (C5 + r * C6)))))
    return fraction * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@fast(cpu.gelu, "numba")
@compiled
def gelu(x: Array, y: Array, s: Array) -> None:
    """(1 + tanh u) / 2 is 1 / (1 + e^-2u)."""
    for i in range(x.size):
        u = ROOT * (x[i] + CUBE * x[i] * x[i] * x[i])
        s[i] = ONE / (ONE + power_of_two(min(max(F(-2 / np.log(2)) * u, F(-126)), F(126))))
        y[i] = x[i] * s[i]


@fast(cpu.gelu_gradient, "numba")
@compiled
def gelu_gradient(gy: Array, x: Array, s: Array, gx: Array) -> None:
    """As there: gx = gy s (1 + x (1 - s) 2 u')."""
    for i in range(x.size):
        du = ROOT * (ONE + F(3) * CUBE * x[i] * x[i])
        gx[i] = gy[i] * s[i] * (ONE + x[i] * (ONE - s[i]) * F(2) * du)


@fast(cpu.layer_norm, "numba")
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
        rstd[i, 0] = ONE / np.sqrt(squares / F(c) + F(eps))
        for j in range(c):
            normalized[i, j] = (x[i, j] - mean) * rstd[i, 0]
            y[i, j] = normalized[i, j] * weight[j] + bias[j]


@fast(cpu.layer_norm_gradient, "numba")
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


@fast(cpu.adamw, "numba")
@compiled
def adamw(p: Array, g: Array, m: Array, v: Array, keep: float, rate: float, beta1: float, beta2: float, v_bias: float,
          eps: float) -> None:
    """All of it in one pass."""
    move1, move2 = F(1 - beta1), F(1 - beta2)
    for i in range(p.size):
        m[i] += move1 * (g[i] - m[i])
        v[i] += move2 * (g[i] * g[i] - v[i])
        p[i] = F(keep) * p[i] - F(rate) * m[i] / (np.sqrt(v[i] / F(v_bias)) + F(eps))
