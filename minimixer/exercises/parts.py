"""The parts that later exercises build on: the library's own ops, with the signatures of the exercises.

``minimixer exercises check --chain`` replaces them by the student's own earlier classes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minimixer import functional as F
from minimixer.autograd import grad
from minimixer.backend import Array
from minimixer.ops import gelu, layernorm, linear
from minimixer.tensor import Tensor


class Linear:
    """y = x @ weight + bias.  x: (..., n_in)  weight: (n_in, n_out)  bias: (n_out,)."""

    @staticmethod
    def forward(x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, Array]]:
        """Return y and ``(x, weight)``."""
        return linear.Linear.forward(np, x, weight, bias)

    @staticmethod
    def backward(gy: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
        """Return the gradients of x, weight and bias."""
        return linear.Linear.backward(np, gy, x, weight)


class Gelu:
    """The exact GELU.  x: any shape."""

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
        """Return y and ``(x, phi)``."""
        return gelu.GELUErf.forward(np, x)

    @staticmethod
    def backward(gy: Array, x: Array, phi: Array) -> Array:
        """Return the gradient of x."""
        return gelu.GELUErf.backward(np, gy, x, phi)


class LayerNorm:
    """Normalize, scale and shift the last axis.  x: (..., C)  weight, bias: (C,)."""

    @staticmethod
    def forward(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, tuple[Array, ...]]:
        """Return y and ``(normalized, rstd, weight)``."""
        return layernorm.LayerNorm.forward(np, x, weight, bias, eps)

    @staticmethod
    def backward(gy: Array, normalized: Array, rstd: Array, weight: Array) -> tuple[Array, ...]:
        """Return the gradients of x, weight and bias."""
        return layernorm.LayerNorm.backward(np, gy, normalized, rstd, weight)


def _by_autograd(fn: Callable[..., Tensor], gy: Array, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
    leaves = [Tensor(array, requires_grad=True) for array in arrays]
    return tuple(grad((fn(*leaves) * Tensor(gy)).sum(), leaves))


def _mlp(x: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor) -> Tensor:
    return F.linear(F.gelu(F.linear(x, weight1, bias1), "erf"), weight2, bias2)


class _Mlp:
    """An MLP that saves its inputs; autograd computes the gradients."""

    function: Any

    @classmethod
    def forward(cls, *arrays: Array) -> tuple[Array, tuple[Array, ...]]:
        """Return y and a tuple for backward."""
        return cls.function(*map(Tensor, arrays)).data, arrays

    @classmethod
    def backward(cls, gy: Array, *arrays: Array) -> tuple[Array, ...]:
        """Return the gradients of x, weight1, bias1, weight2 and bias2."""
        return _by_autograd(cls.function, gy, arrays)


class TokenMixing(_Mlp):
    """An MLP along the patches of x.  x: (B, S, C)."""

    @staticmethod
    def function(x: Tensor, *parameters: Tensor) -> Tensor:
        """Mix tokens."""
        return _mlp(x.swapaxes(1, 2), *parameters).swapaxes(1, 2)


class ChannelMixing(_Mlp):
    """An MLP along the channels of x.  x: (B, S, C)."""

    function = staticmethod(_mlp)
