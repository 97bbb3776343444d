"""Ops that move numbers without changing them.  NumPy returns views: no copy is made where none is needed."""

from itertools import accumulate
from numbers import Integral
from typing import Any

from minimixer.backend import Array, Module
from minimixer.ops.op import Like, Op, like, unbroadcast


class Reshape(Op):
    """The same numbers, in the same order, in another shape."""

    expects = "a shape with as many elements, one of its numbers may be -1"

    @staticmethod
    def forward(xp: Module, x: Array, shape: tuple[int, ...]) -> tuple[Array, tuple[tuple[int, ...]]]:
        return x.reshape(shape), (x.shape,)

    @staticmethod
    def backward(xp: Module, gy: Array, shape: tuple[int, ...]) -> Array:
        return gy.reshape(shape)


class SwapAxes(Op):
    """Two axes change places: a view, no number moves in memory."""

    expects = "two axes that exist"

    @staticmethod
    def forward(xp: Module, x: Array, axis1: int, axis2: int) -> tuple[Array, tuple[int, int]]:
        return x.swapaxes(axis1, axis2), (axis1, axis2)

    @staticmethod
    def backward(xp: Module, gy: Array, axis1: int, axis2: int) -> Array:
        return gy.swapaxes(axis1, axis2)


class Transpose(Op):
    """Axis i of y is axis ``axes[i]`` of x."""

    expects = "every axis once"

    @staticmethod
    def forward(xp: Module, x: Array, axes: tuple[int, ...]) -> tuple[Array, tuple[tuple[int, ...]]]:
        return x.transpose(axes), (axes,)

    @staticmethod
    def backward(xp: Module, gy: Array, axes: tuple[int, ...]) -> Array:
        inverse = sorted(range(len(axes)), key=lambda i: axes[i] % len(axes))
        return gy.transpose(inverse)


class Slice(Op):
    """y = x[key], key made of ints, slices, None and Ellipsis only, so that no element is read twice."""

    expects = "ints inside the shape, slices, None, ..., and arrays or lists of ints or booleans"

    @staticmethod
    def forward(xp: Module, x: Array, key: Any) -> tuple[Array, tuple[Any, ...]]:
        parts = key if isinstance(key, tuple) else (key,)
        for part in () if is_basic(parts) else parts:
            if isinstance(part, bool) or not (part is None or part is Ellipsis or isinstance(part, (Integral, slice))):
                raise IndexError(f"{type(part).__name__} is not a basic index")
        return x[key], (x.shape, key)

    @staticmethod
    def backward(xp: Module, gy: Array, shape: tuple[int, ...], key: Any) -> Array:
        gx = xp.zeros(shape, gy.dtype)
        gx[key] = gy
        return gx


BASIC = frozenset([int, slice, type(None), type(Ellipsis)])


def is_basic(parts: tuple[Any, ...]) -> bool:
    """Whether all parts of a key are of the usual kinds of which no element is read twice."""
    return BASIC.issuperset(map(type, parts))


def unpack(numbers: tuple[Any, ...]) -> tuple[int, ...]:
    """Let f(2, 3) and f((2, 3)) mean the same."""
    return tuple(numbers[0]) if len(numbers) == 1 and not isinstance(numbers[0], Integral) else numbers


class BroadcastTo(Op):
    """Axes of length 1 are repeated, and new ones come before the first: a read-only view."""

    expects = "a shape that ends as x's does, up to axes of length 1"

    @staticmethod
    def forward(xp: Module, x: Array, shape: tuple[int, ...]) -> tuple[Array, tuple[Like]]:
        return xp.broadcast_to(x, shape), (like(x),)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Like) -> Array:
        return unbroadcast(gy, x)


class Pad(Op):
    """A margin of one value around x.  margins: (before, after) of every axis."""

    expects = "two numbers >= 0 for every axis"

    @staticmethod
    def forward(xp: Module, x: Array, margins: tuple[tuple[int, int], ...], value: float) -> tuple[Array, tuple[Any]]:
        inner = tuple(slice(before, before + n) for (before, _), n in zip(margins, x.shape, strict=True))
        return (xp.pad(x, margins, constant_values=value) if margins else x), (inner,)

    @staticmethod
    def backward(xp: Module, gy: Array, inner: tuple[slice, ...]) -> Array:
        return gy[inner]


class Concatenate(Op):
    """Arrays one behind the other, along an axis that exists."""

    expects = "arrays whose shapes differ along that axis only"

    @staticmethod
    def forward(xp: Module, *arrays: Array, axis: int) -> tuple[Array, tuple[Any, ...]]:
        y = xp.concatenate(arrays, axis)
        return y, (axis % y.ndim, *[(a.shape[axis], a.dtype) for a in arrays])

    @staticmethod
    def backward(xp: Module, gy: Array, axis: int, *parts: tuple[int, Any]) -> tuple[Array, ...]:
        ends = list(accumulate(n for n, _ in parts))
        before = (slice(None),) * axis
        return tuple(gy[(*before, slice(end - n, end))].astype(dtype, copy=False)
                     for end, (n, dtype) in zip(ends, parts, strict=True))
