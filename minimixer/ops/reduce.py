"""Sums, means and maxima over one axis, several, or all (``axis`` None)."""

import math
from typing import Any

from minimixer.backend import Array, Module
from minimixer.ops.op import Op

Axis = int | tuple[int, ...] | None
Axes = tuple[int, ...]


def normalize(axis: Axis, ndim: int) -> Axes:
    """The axes as non-negative numbers."""
    axes = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    for i in axes:
        if not -ndim <= i < ndim:
            raise ValueError(f"axis {i} does not exist")
    return tuple(i % ndim for i in axes)


class Reduction(Op):
    """An op that takes axes away."""

    expects = "axes of x, counted from 0, or back from -1"


def spread(xp: Module, gy: Array, shape: tuple[int, ...], axes: Axes) -> Array:
    """Repeat gy, which lost ``axes``, along them again: a read-only view of the full shape."""
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return xp.broadcast_to(gy.reshape(kept), shape)


class Sum(Reduction):
    """y = sum of x over axes."""

    @staticmethod
    def forward(xp: Module, x: Array, axis: Axis, keepdims: bool) -> tuple[Array, tuple[Any, ...]]:
        axes = normalize(axis, x.ndim)
        return x.sum(axes, keepdims=keepdims), (x.shape, axes)

    @staticmethod
    def backward(xp: Module, gy: Array, shape: tuple[int, ...], axes: Axes) -> Array:
        return spread(xp, gy, shape, axes)


class Mean(Reduction):
    """y = mean of x over axes."""

    @staticmethod
    def forward(xp: Module, x: Array, axis: Axis, keepdims: bool) -> tuple[Array, tuple[Any, ...]]:
        axes = normalize(axis, x.ndim)
        return x.mean(axes, keepdims=keepdims), (x.shape, axes)

    @staticmethod
    def backward(xp: Module, gy: Array, shape: tuple[int, ...], axes: Axes) -> Array:
        return spread(xp, gy / math.prod(shape[i] for i in axes), shape, axes)


class Max(Reduction):
    """y = largest element of x over axes; where several are the largest, they share the gradient evenly."""

    @staticmethod
    def forward(xp: Module, x: Array, axis: Axis, keepdims: bool) -> tuple[Array, tuple[Any, ...]]:
        axes = normalize(axis, x.ndim)
        largest = x.max(axes, keepdims=True)
        winners = x == largest
        return (largest if keepdims else largest.squeeze(axes)), (winners, axes)

    @staticmethod
    def backward(xp: Module, gy: Array, winners: Array, axes: Axes) -> Array:
        share = winners.astype(gy.dtype)
        return spread(xp, gy, winners.shape, axes) * (share / share.sum(axes, keepdims=True))


class CumSum(Op):
    """y_i = x_0 + ... + x_i, along an axis: x_i is part of y_i and of all behind it."""

    expects = "an axis of x, counted from 0, or back from -1"

    @staticmethod
    def forward(xp: Module, x: Array, axis: int) -> tuple[Array, tuple[int]]:
        normalize(axis, x.ndim)
        return xp.cumsum(x, axis), (axis,)

    @staticmethod
    def backward(xp: Module, gy: Array, axis: int) -> Array:
        return xp.flip(xp.cumsum(xp.flip(gy, axis), axis), axis)
