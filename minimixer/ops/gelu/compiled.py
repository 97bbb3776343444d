"""GELU, tanh form, for NumPy's float32: ``inplace.py`` with its two loops compiled to one pass each."""

import numpy as np
from numba import njit

from minimixer.backend import Array
from minimixer.ops.compile import compiled
from minimixer.ops.gelu import inplace
from minimixer.ops.gelu.reference import CUBIC, SQRT_2_OVER_PI

F = np.float32
ONE, CUBE, ROOT, FAR = F(1), F(CUBIC), F(SQRT_2_OVER_PI), F(inplace.FAR)

# 2 to the power r, r in -0.5..0.5: the Taylor series, whose terms are (r ln 2)^k / k!
C1, C2, C3, C4, C5, C6 = (F(np.log(2) ** k / np.prod(np.arange(1.0, k + 1))) for k in range(1, 7))


@njit(inline="always")      # type: ignore[untyped-decorator]
def power_of_two(z: float) -> float:
    """2^z = 2^n 2^r, n whole and r in -0.5..0.5; 2^n is a float whose exponent bits are n + 127.  |z| <= 126."""
    n = np.floor(z + F(0.5))
    r = z - n
    fraction = ONE + r * (C1 + r * (C2 + r * (C3 + r * (C4 + r * (C5 + r * C6)))))
    return fraction * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled
def gelu(x: Array, y: Array, s: Array) -> None:
    """(1 + tanh u) / 2 is 1 / (1 + e^-2u)."""
    for i in range(x.size):
        u = ROOT * (x[i] + CUBE * x[i] * x[i] * x[i])
        s[i] = ONE / (ONE + power_of_two(min(max(F(-2 / np.log(2)) * u, F(-126)), F(126))))
        y[i] = x[i] * s[i]


@compiled
def gelu_gradient(gy: Array, x: Array, s: Array, gx: Array) -> None:
    """As there: gx = gy s (1 + x (1 - s) 2 u')."""
    for i in range(x.size):
        near = F(0) if abs(x[i]) > FAR else x[i]            # farther out x^2 could overflow, and s is 0 or 1
        du = ROOT * (ONE + F(3) * CUBE * near * near)
        gx[i] = gy[i] * s[i] * (ONE + near * (ONE - s[i]) * F(2) * du)


class GELU(inplace.GELU):
    """As there, with compiled loops."""

    loop, gradient_loop = staticmethod(gelu), staticmethod(gelu_gradient)
