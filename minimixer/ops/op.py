from typing import Any, TypeAlias

from minimixer.backend import Array

Like: TypeAlias = tuple[tuple[int, ...], Any] | None      # shape and dtype of an array; None for a Python number


class Op:
    """Two pure array functions, forward and backward; they know no Tensor and no graph.

    ``forward(xp, *arrays, **options) -> (y, saved)`` computes with the array module ``xp`` and returns, beside the
    result, the tuple of things that backward needs.  It never writes to its inputs.

    ``backward(xp, gy, *saved) -> gradients`` takes the gradient of the loss with respect to y and returns one
    gradient per array argument, in order (a bare array if there is only one; None where there is no gradient).
    It never writes to ``gy`` nor to what was saved.
    """

    forward: Any
    backward: Any
    expects = "operands that fit"       # said when forward refuses its operands


def like(operand: Array | float) -> Like:
    """What backward must know of an operand that may have been broadcast, without keeping it alive."""
    return None if isinstance(operand, (int, float)) else (operand.shape, operand.dtype)


def unbroadcast(gy: Array, target: Like) -> Array:
    """Sum gy over the axes along which an operand was repeated, so that it has the operand's shape again.

    Broadcasting copies one number to many places; its gradient is the sum over those places.
    """
    if target is None:
        return None
    shape, dtype = target
    if gy.shape != shape:
        added = gy.ndim - len(shape)
        repeated = [added + i for i, n in enumerate(shape) if n == 1 and gy.shape[added + i] != 1]
        gy = gy.sum((*range(added), *repeated), keepdims=True).reshape(shape)
    return gy.astype(dtype, copy=False)
