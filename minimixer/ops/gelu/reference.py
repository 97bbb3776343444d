"""GELU, y = x * Phi(x), Phi the cumulative normal distribution (Hendrycks & Gimpel 2016, arXiv 1606.08415)."""

import math

from minimixer.backend import Array, Module, erf
from minimixer.ops.op import Op

SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
SQRT_HALF = math.sqrt(0.5)
CUBIC = 0.044715        # the paper's fit


class GELU(Op):
    """The tanh form, as in the official Mixer: Phi(x) ~ (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2.  x, y: (...)."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array, Array]]:
        t = xp.tanh(SQRT_2_OVER_PI * (x + CUBIC * (x * x * x)))
        return 0.5 * x * (1 + t), (x, t)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, t: Array) -> Array:
        dt = (1 - t * t) * (SQRT_2_OVER_PI * (1 + 3 * CUBIC * (x * x)))
        return gy * (0.5 * (1 + t + x * dt))


class GELUErf(Op):
    """The exact form, as in timm and PyTorch: Phi(x) = (1 + erf(x / sqrt 2)) / 2.  x, y: (...)."""

    @staticmethod
    def forward(xp: Module, x: Array) -> tuple[Array, tuple[Array, Array]]:
        phi = 0.5 * (1 + erf(xp, SQRT_HALF * x))
        return x * phi, (x, phi)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, phi: Array) -> Array:
        density = xp.exp(-0.5 * (x * x)) / math.sqrt(2 * math.pi)      # Phi'(x)
        return gy * (phi + x * density)
