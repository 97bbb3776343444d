"""The parts that later exercises build on: the library's own ops, with the signatures of the exercises.

``minimixer exercises check --chain`` replaces them by the student's own earlier classes.
"""

from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.ops import gelu, layernorm, linear


class TupleGivenError(TypeError):
    """A part got a tuple where it needs an array."""


def _arrays(part: str, **arguments: Any) -> None:
    for name, value in arguments.items():
        if isinstance(value, (tuple, list)):
            raise TupleGivenError(f"{part} got a tuple for {name}: expected an array")
        if not isinstance(value, (np.ndarray, np.generic, float, int)):
            raise TypeError(f"{part} got {type(value).__name__} for {name}: expected an array")


class Linear:
    """y = x @ weight + bias.  x: (..., n_in)  weight: (n_in, n_out)  bias: (n_out,)."""

    @staticmethod
    def forward(x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, Array]]:
        """Return y and ``(x, weight)``."""
        _arrays("Linear.forward", x=x, weight=weight, bias=bias)
        return linear.Linear.forward(np, x, weight, bias)

    @staticmethod
    def backward(gy: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
        """Return the gradients of x, weight and bias."""
        _arrays("Linear.backward", gy=gy, x=x, weight=weight)
        return linear.Linear.backward(np, gy, x, weight)


class Gelu:
    """The exact GELU.  x: any shape."""

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
        """Return y and ``(x, phi)``."""
        _arrays("Gelu.forward", x=x)
        return gelu.GELUErf.forward(np, x)

    @staticmethod
    def backward(gy: Array, x: Array, phi: Array) -> Array:
        """Return the gradient of x."""
        _arrays("Gelu.backward", gy=gy, x=x, phi=phi)
        return gelu.GELUErf.backward(np, gy, x, phi)


class LayerNorm:
    """Normalize, scale and shift the last axis.  x: (..., C)  weight, bias: (C,)."""

    @staticmethod
    def forward(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, tuple[Array, ...]]:
        """Return y and ``(normalized, rstd, weight)``."""
        _arrays("LayerNorm.forward", x=x, weight=weight, bias=bias, eps=eps)
        return layernorm.LayerNorm.forward(np, x, weight, bias, eps)

    @staticmethod
    def backward(gy: Array, normalized: Array, rstd: Array, weight: Array) -> tuple[Array, ...]:
        """Return the gradients of x, weight and bias."""
        _arrays("LayerNorm.backward", gy=gy, normalized=normalized, rstd=rstd, weight=weight)
        return layernorm.LayerNorm.backward(np, gy, normalized, rstd, weight)


class ChannelMixing:
    """An MLP along the channels of x.  x: (B, S, C)."""

    @staticmethod
    def forward(x: Array, weight1: Array, bias1: Array, weight2: Array, bias2: Array) -> tuple[Array, Any]:
        """Return y and what the three parts saved."""
        hidden, saved1 = Linear.forward(x, weight1, bias1)
        active, saved2 = Gelu.forward(hidden)
        y, saved3 = Linear.forward(active, weight2, bias2)
        return y, (saved1, saved2, saved3)

    @staticmethod
    def backward(gy: Array, saved1: Any, saved2: Any, saved3: Any) -> tuple[Array, ...]:
        """Return the gradients of x, weight1, bias1, weight2 and bias2."""
        g, gweight2, gbias2 = Linear.backward(gy, *saved3)
        gx, gweight1, gbias1 = Linear.backward(Gelu.backward(g, *saved2), *saved1)
        return gx, gweight1, gbias1, gweight2, gbias2


class TokenMixing:
    """An MLP along the patches of x.  x: (B, S, C)."""

    @staticmethod
    def forward(x: Array, weight1: Array, bias1: Array, weight2: Array, bias2: Array) -> tuple[Array, Any]:
        """Return y and what the three parts saved."""
        _arrays("TokenMixing.forward", x=x)
        y, saved = ChannelMixing.forward(x.swapaxes(1, 2), weight1, bias1, weight2, bias2)
        return y.swapaxes(1, 2), saved

    @staticmethod
    def backward(gy: Array, saved1: Any, saved2: Any, saved3: Any) -> tuple[Array, ...]:
        """Return the gradients of x, weight1, bias1, weight2 and bias2."""
        _arrays("TokenMixing.backward", gy=gy)
        gx, *others = ChannelMixing.backward(gy.swapaxes(1, 2), saved1, saved2, saved3)
        return gx.swapaxes(1, 2), *others
