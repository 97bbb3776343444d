"""Probabilities, and the loss that trains them."""

from typing import Literal, TypeAlias

import numpy as np

from minimixer.backend import Array, array_module
from minimixer.functional.elementwise import where
from minimixer.ops.cross_entropy import CrossEntropy
from minimixer.ops.reduce import Axis
from minimixer.ops.softmax import Softmax
from minimixer.tensor import Tensor, apply

Reduction: TypeAlias = Literal["mean", "sum", "none"]


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Probabilities from logits along an axis: ``exp(x_i) / sum_j exp(x_j)``.  x: any shape, the result too."""
    _check_axis("softmax", x, axis)
    if axis in (-1, x.ndim - 1):
        return apply(Softmax, x)
    return apply(Softmax, x.swapaxes(axis, -1)).swapaxes(axis, -1)


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Logarithms of ``softmax``, exact also where a probability is too small for a float.  x: any shape."""
    _check_axis("log_softmax", x, axis)
    return x - logsumexp(x, axis, keepdims=True)


def logsumexp(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """``log(sum(exp(x)))`` over one axis, several, or all, without overflow: a smooth form of ``max``."""
    xp = array_module(x.data)
    if not x.size:                                                      # there is no largest
        return x.exp().sum(axis, keepdims).log()
    largest = x.detach().max(axis, keepdims=True).data
    shift = Tensor(xp.where(xp.isfinite(largest), largest, 0))          # which changes nothing but keeps exp finite
    y = (x - shift).exp().sum(axis, keepdims=True).log() + shift
    return y if keepdims else y.squeeze(axis if axis is not None else tuple(range(x.ndim)))


def _check_axis(name: str, x: Tensor, axis: int) -> None:
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{name}: x has shape {x.shape}, which has no axis {axis}")


def cross_entropy(logits: Tensor, labels: Tensor | Array, label_smoothing: float = 0.0,
                  reduction: Reduction = "mean") -> Tensor:
    """Negative log-likelihood of the labels under softmax(logits), in nats.

    Parameters
    ----------
    logits : Tensor, shape (B, K) or (B, ..., K), such as (B, T, K) for sequences
        The classes are on the last axis.
    labels : array or Tensor
        Class numbers, integers of shape (B, ...) in 0..K-1, or probabilities of the shape of the logits.
        Probabilities that require a gradient get one.
    label_smoothing : float in [0, 1)
        This share of every target is spread evenly over the classes (Szegedy et al. 2015).
    reduction : "mean", "sum" or "none"
        Over all labels.

    Returns
    -------
    Tensor, shape (); (B, ...) with reduction "none"

    Raises
    ------
    ValueError
        If a shape, a class number or an option is out of range.  Class numbers on a GPU are not checked, because
        that would make the host wait: check them before you move them.
    """
    targets = labels if isinstance(labels, Tensor) else Tensor(labels)
    if logits.ndim < 2:
        raise ValueError(f"cross_entropy: logits have shape {logits.shape}, expected (B, K) or (B, ..., K)")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"cross_entropy: label_smoothing is {label_smoothing}, expected a number in [0, 1)")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"cross_entropy: reduction is {reduction!r}, expected 'mean', 'sum' or 'none'")
    *rows, classes = logits.shape
    is_soft = targets.dtype.kind == "f"
    if targets.shape != (logits.shape if is_soft else tuple(rows)):
        raise ValueError(f"cross_entropy: labels have shape {targets.shape} and dtype {targets.dtype}, expected "
                         f"integers of shape {tuple(rows)} or probabilities of shape {logits.shape}")
    if not is_soft and isinstance(targets.data, np.ndarray):
        wrong = (targets.data < 0) | (targets.data >= classes)
        if wrong.any():
            raise ValueError(f"cross_entropy: label {targets.data[wrong][0]} at position {wrong.argmax()}, expected "
                             f"0..{classes - 1} for logits of {classes} classes")
    if reduction == "none" or targets.requires_grad:
        each = _each_loss(logits, targets, label_smoothing)
        return each if reduction == "none" else each.mean() if reduction == "mean" else each.sum()
    if logits.ndim > 2:
        logits = logits.reshape(-1, classes)
        targets = targets.reshape((-1, classes) if is_soft else -1)
    loss = apply(CrossEntropy, logits, targets, label_smoothing=label_smoothing)
    return loss / logits.shape[0] if reduction == "mean" else loss


def _each_loss(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """The loss of every label, composed of other ops.  logits: (..., K), the result: (...)."""
    classes = logits.shape[-1]
    if targets.dtype.kind != "f":
        xp = array_module(targets.data)
        targets = Tensor((targets.data[..., None] == xp.arange(classes)).astype(logits.dtype))
    if label_smoothing:
        targets = targets * (1 - label_smoothing) + label_smoothing / classes
    counted = log_softmax(logits)
    if not targets.requires_grad:
        counted = where(targets.data == 0, 0.0, counted)        # 0 times -infinity is 0 here
    return -(targets * counted).sum(-1)
