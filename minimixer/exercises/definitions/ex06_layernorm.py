import math
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.parts import LayerNorm
from minimixer.exercises.task import Exercise, Function, Mistake, Task

EPS = 0.1       # large, so that its place in the formula shows


def _inputs(leading: tuple[int, ...], channels: int) -> Inputs:
    x, weight, bias = normal(channels, (*leading, channels), (channels,), (channels,))
    return Inputs((2 * x + 1, 1 + 0.5 * weight, bias), (EPS,), {"rows": math.prod(leading), "C": channels})


INPUTS = [_inputs((4,), 5), _inputs((2, 3), 4), _inputs((2, 2, 3), 7)]


def _forward(rstd: Function, mean: Function | None = None) -> Function:
    """A forward that computes rstd from the centered x and eps."""
    def forward(x: Array, weight: Array, bias: Array, eps: float) -> Any:
        centered = x - (x.mean(-1, keepdims=True) if mean is None else mean(x))
        scale = rstd(centered, eps)
        return centered * scale * weight + bias, (centered * scale, scale, weight)
    return forward


def _variance(centered: Array, axis: int | None = -1) -> Array:
    return (centered * centered).mean(axis, keepdims=True)


def _backward(gx: Function) -> Function:
    """A backward with another gx; the other two gradients are right."""
    def backward(gy: Array, normalized: Array, rstd: Array, weight: Array) -> Any:
        leading = tuple(range(gy.ndim - 1))
        return gx(gy, normalized, rstd, weight), (gy * normalized).sum(leading), gy.sum(leading)
    return backward


def _mean(array: Array) -> Array:
    return array.mean(-1, keepdims=True)


def _sums(gy: Array, n: Array, rstd: Array, weight: Array) -> Array:
    g = gy * weight
    return rstd * (g - g.sum(-1, keepdims=True) - n * (g * n).sum(-1, keepdims=True))


EXERCISE = Exercise(
    id="ex06", name="layernorm", title="LayerNorm", lesson="06, LayerNorm",
    tasks=(
        Task("forward", "LayerNorm.forward", 4, ("y", ("saved normalized", "saved rstd", "saved weight")),
             lambda: forward_cases(LayerNorm.forward, INPUTS),
             mistakes=(
                 Mistake("ddof-1", "The variance is divided by C - 1.",
                         "That is the unbiased estimate, with ddof=1. LayerNorm uses the plain mean of the squares, "
                         "divided by C.", _forward(lambda c, eps: 1 / np.sqrt(c.var(-1, ddof=1, keepdims=True) + eps))),
                 Mistake("eps-outside-root", "eps is added outside the square root.",
                         "eps belongs to the variance, not to the standard deviation: look at what is under the root "
                         "in the formula.", _forward(lambda c, eps: 1 / (np.sqrt(_variance(c)) + eps))),
                 Mistake("eps-forgotten", "eps is not used.", "Without it, a row of equal numbers divides by zero.",
                         _forward(lambda c, eps: 1 / np.sqrt(_variance(c)))),
                 Mistake("no-root", "x is divided by the variance, not by the standard deviation.",
                         "The standard deviation is the square root of the variance.",
                         _forward(lambda c, eps: 1 / (_variance(c) + eps))),
                 Mistake("wrong-axis", "The mean and the variance are taken over the first axis.",
                         "That normalizes over the batch. LayerNorm normalizes each row, along the last axis.",
                         _forward(lambda c, eps: 1 / np.sqrt(_variance(c, 0) + eps),
                                  lambda x: x.mean(0, keepdims=True))),
                 Mistake("all-axes", "One mean and one variance are used for the whole array.",
                         "Each row has its own: give mean an axis, and keep that axis.",
                         _forward(lambda c, eps: 1 / np.sqrt(_variance(c, None) + eps), lambda x: x.mean())),
                 Mistake("mean-not-subtracted", "The mean is not subtracted from x.",
                         "The result has the right spread, but its rows are not centered at zero before the shift.",
                         lambda x, weight, bias, eps: (
                             x / np.sqrt(x.var(-1, keepdims=True) + eps) * weight + bias,
                             (x / np.sqrt(x.var(-1, keepdims=True) + eps), 1 / np.sqrt(x.var(-1, keepdims=True) + eps),
                              weight))),
             )),
        Task("backward", "LayerNorm.backward", 6, ("gx", "gweight", "gbias"),
             lambda: backward_cases(LayerNorm.forward, INPUTS), has_gradient=True,
             mistakes=(
                 Mistake("first-term-only", "gx has only the first of its three terms.",
                         "You treat the mean and the standard deviation as constants. But both depend on x: change one "
                         "number of a row, and the whole row moves. Two terms are missing.",
                         _backward(lambda gy, n, rstd, w: rstd * gy * w)),
                 Mistake("variance-term-forgotten", "gx lacks the term through the variance.",
                         "You have the direct term and the one through the mean. The standard deviation depends on x "
                         "too.",
                         _backward(lambda gy, n, rstd, w: rstd * (gy * w - _mean(gy * w)))),
                 Mistake("mean-term-forgotten", "gx lacks the term through the mean.",
                         "You have the direct term and the one through the variance. Each x is also part of the mean.",
                         _backward(lambda gy, n, rstd, w: rstd * (gy * w - n * _mean(gy * w * n)))),
                 Mistake("mean-term-sign", "The term through the mean has the wrong sign in gx.",
                         "When one x grows, the mean grows too, and every centered x of its row shrinks. Does this "
                         "term add to the gradient or subtract from it?",
                         _backward(lambda gy, n, rstd, w: rstd * (gy * w + _mean(gy * w) - n * _mean(gy * w * n)))),
                 Mistake("variance-term-sign", "The term through the variance has the wrong sign in gx.",
                         "When a large x grows, the standard deviation grows too, and every normalized x shrinks. Does "
                         "this term add to the gradient or subtract from it?",
                         _backward(lambda gy, n, rstd, w: rstd * (gy * w - _mean(gy * w) + n * _mean(gy * w * n)))),
                 Mistake("weight-forgotten", "gx does not use weight.",
                         "The first step back is through the scale: what is the gradient of the normalized x?",
                         _backward(lambda gy, n, rstd, w: rstd * (gy - _mean(gy) - n * _mean(gy * n)))),
                 Mistake("rstd-forgotten", "gx is not divided by the standard deviation.",
                         "forward divided x by it, so backward divides the gradient too. rstd is one of the saved "
                         "arrays.",
                         _backward(lambda gy, n, rstd, w: gy * w - _mean(gy * w) - n * _mean(gy * w * n))),
                 Mistake("sum-for-mean", "The two correction terms of gx are sums, but they must be means.",
                         "In a mean of C numbers, each has a share of 1 / C.", _backward(_sums)),
             )),
    ),
    hints=(
        "Forward: three lines: mean, variance, scale. keepdims=True keeps the shape (..., 1), which broadcasts with x.",
        "Backward: give the gradient of the normalized x its own name, then think of one row with C numbers.",
        "Both corrections are means over the row. One is the mean of g. The other is the mean of a product, times the "
        "normalized x.",
        "The gradients of weight and bias: every row used them, so sum over all axes but the last.",
    ))
