"""Tensors joined, cut, moved and repeated.  Most are composed of a few ops; no number is changed."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from minimixer.ops import shape as ops
from minimixer.ops.reduce import Axis, normalize
from minimixer.tensor import Tensor, apply


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Tensors one behind the other along an axis that they have; their other axes are equal.

    Raises
    ------
    ValueError
        If there are none, their shapes do not fit, or the axis does not exist.
    """
    tensors = _several("concatenate", tensors)
    _check_axis("concatenate", tensors[0], axis)
    return apply(ops.Concatenate, *tensors, axis=axis)


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Tensors of one shape, one behind the other along a new axis.  Raises ValueError if their shapes differ."""
    tensors = _several("stack", tensors)
    if len({t.shape for t in tensors}) > 1:
        raise ValueError(f"stack: the shapes are {', '.join(str(t.shape) for t in tensors)}, expected one shape; for "
                         "pieces of several lengths use concatenate")
    return concatenate([expand_dims(t, axis) for t in tensors], axis)


def split(x: Tensor, parts: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Cut a Tensor along an axis.

    Parameters
    ----------
    x : Tensor
    parts : int or sequence of int
        How many parts of one size; or where to cut, as in NumPy: [2, 5] gives x[:2], x[2:5] and x[5:].
    axis : int

    Raises
    ------
    ValueError
        If the axis does not exist, or cannot be cut into as many equal parts.
    """
    _check_axis("split", x, axis)
    length = x.shape[axis]
    if isinstance(parts, (int, np.integer)):
        if parts < 1 or length % parts:
            raise ValueError(f"split: axis {axis} of shape {x.shape} cannot be cut into {parts} equal parts: say where "
                             "to cut, as in [2, 5]")
        parts = [length // int(parts) * i for i in range(1, int(parts))]
    before = (slice(None),) * (axis % x.ndim)
    return [x[(*before, slice(start, stop))] for start, stop in pairwise([0, *parts, length])]


def expand_dims(x: Tensor, axis: int) -> Tensor:
    """A new axis of length 1, which gets this number."""
    if not -x.ndim - 1 <= axis <= x.ndim:
        raise ValueError(f"expand_dims: a new axis {axis} does not fit shape {x.shape}, expected {-x.ndim - 1}.."
                         f"{x.ndim}")
    at = axis % (x.ndim + 1)
    return x.reshape((*x.shape[:at], 1, *x.shape[at:]))


def squeeze(x: Tensor, axis: Axis = None) -> Tensor:
    """Without the axes of length 1, or without the given ones.  Raises ValueError if one is longer."""
    return x.squeeze(axis)


def flatten(x: Tensor) -> Tensor:
    """All elements in one axis, in reading order."""
    return x.flatten()


def broadcast_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Axes of length 1 repeated, and new ones before the first.  Raises ValueError if x does not fit the shape."""
    return apply(ops.BroadcastTo, x, shape=tuple(shape))


def repeat(x: Tensor, repeats: int, axis: int) -> Tensor:
    """Every element ``repeats`` times in a row, along an axis: [a, b] becomes [a, a, b, b]."""
    _check_axis("repeat", x, axis)
    if repeats < 0:
        raise ValueError(f"repeat: repeats is {repeats}, expected a number >= 0")
    at = axis % x.ndim
    wide = (*x.shape[:at + 1], repeats, *x.shape[at + 1:])
    return broadcast_to(expand_dims(x, at + 1), wide).reshape(
        (*x.shape[:at], x.shape[at] * repeats, *x.shape[at + 1:]))


def flip(x: Tensor, axis: Axis = None) -> Tensor:
    """The other way round along one axis, several, or all."""
    axes = normalize(axis, x.ndim)
    return x[tuple(slice(None, None, -1 if i in axes else 1) for i in range(x.ndim))]


def roll(x: Tensor, shift: int, axis: int) -> Tensor:
    """Moved by ``shift`` places along an axis; what leaves at the end comes in at the start."""
    _check_axis("roll", x, axis)
    before = (slice(None),) * (axis % x.ndim)
    cut = -shift % max(1, x.shape[axis])
    return concatenate([x[(*before, slice(cut, None))], x[(*before, slice(0, cut))]], axis)


def pad(x: Tensor, margins: int | Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """A margin of one value around a Tensor.

    Parameters
    ----------
    x : Tensor
    margins : int, or (before, after) for every axis
        How many elements to add.
    value : float

    Raises
    ------
    ValueError
        If there is not one pair an axis, or a number is negative.
    """
    if isinstance(margins, (int, np.integer)):
        margins = [(int(margins), int(margins))] * x.ndim
    pairs = [(int(before), int(after)) for before, after in margins]
    if len(pairs) != x.ndim or any(n < 0 for pair in pairs for n in pair):
        raise ValueError(f"pad: margins are {margins}, expected (before, after), not below 0, for each axis of "
                         f"{x.shape}")
    return apply(ops.Pad, x, margins=tuple(pairs), value=value)


def _several(name: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    tensors = [t if isinstance(t, Tensor) else Tensor(np.asarray(t)) for t in tensors]
    if not tensors:
        raise ValueError(f"{name}: the list of Tensors is empty, expected at least one")
    return tensors


def _check_axis(name: str, x: Tensor, axis: int) -> None:
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{name}: x has shape {x.shape}, which has no axis {axis}")
