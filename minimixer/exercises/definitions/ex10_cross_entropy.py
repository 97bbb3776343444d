from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.task import Exercise, Function, Mistake, Task
from minimixer.ops.cross_entropy import CrossEntropy


def _inputs(b: int, k: int, scale: float = 1.0) -> Inputs:
    labels = np.random.default_rng(b).integers(0, k, b)
    return Inputs((scale * normal(b * k, (b, k))[0],), (labels,), {"B": b, "K": k})


INPUTS = [_inputs(3, 5), _inputs(7, 4, 2.0), _inputs(4, 2)]
LARGE = _inputs(5, 3, 900.0)        # e ** 900 is infinite, and e ** -900 is zero


def reference(logits: Array, labels: Array) -> Any:
    total, (log_p, _) = CrossEntropy.forward(np, logits, labels, 0.0)
    return total / len(labels), (np.exp(log_p), labels)


def _softmax(logits: Array, axis: int | None = 1) -> Array:
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _hot(p: Array, labels: Array) -> Array:
    return labels[:, None] == np.arange(p.shape[1])


def _from_p(p: Function, loss: Function) -> Function:
    """A forward that computes probabilities first, without warnings about the logarithm of zero."""
    def forward(logits: Array, labels: Array) -> Any:
        with np.errstate(all="ignore"):
            return loss(p(logits), labels), (p(logits), labels)
    return forward


def _loss(p: Array, labels: Array) -> Any:
    return -np.log(p[np.arange(len(labels)), labels]).mean()


def _unshifted(logits: Array) -> Array:
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


EXERCISE = Exercise(
    id="ex10", name="cross_entropy", title="Softmax and cross-entropy", lesson="10, training: loss, AdamW, schedules",
    tasks=(
        Task("forward", "CrossEntropy.forward", 5, ("loss", ("saved p", "saved labels")),
             lambda: forward_cases(reference, [*INPUTS, LARGE]),
             mistakes=(
                 Mistake("overflow", "Large logits overflow.",
                         "For small logits the result is right. But e to the power of 900 is infinite, and infinity "
                         "divided by infinity is not a number. Subtract something from each row before you use exp.",
                         _from_p(_unshifted, _loss)),
                 Mistake("log-of-zero", "You take the logarithm of a probability that was rounded to zero.",
                         "For small logits the result is right. For large ones, some p is 0 and its logarithm is "
                         "infinite. Simplify the logarithm of the fraction on paper before you compute it.",
                         _from_p(_softmax, _loss)),
                 Mistake("wrong-axis", "The softmax runs over the batch.",
                         "The probabilities of each image must add up to 1. Which axis holds the classes?",
                         _from_p(lambda z: _softmax(z, 0), _loss)),
                 Mistake("all-axes", "The softmax runs over all images together.",
                         "The probabilities of each image must add up to 1: give sum an axis, and keep that axis.",
                         _from_p(lambda z: _softmax(z, None), _loss)),
                 Mistake("all-labels", "Every image is compared with the labels of all images.",
                         "An index like p[:, labels] takes all rows for every label. You need one element per row.",
                         _from_p(_softmax, lambda p, labels: -np.log(p[:, labels]).mean())),
                 Mistake("all-classes", "The mean runs over the classes too.",
                         "Divide by the number of images B, not by B * K: only one class of each image counts.",
                         _from_p(_softmax, lambda p, labels: -(_hot(p, labels) * np.log(p)).mean())),
                 Mistake("log-forgotten", "The logarithm is missing.",
                         "The loss is the mean of minus log p of the true class.",
                         _from_p(_softmax, lambda p, labels: -p[np.arange(len(labels)), labels].mean())),
             )),
        Task("backward", "CrossEntropy.backward", 5, "glogits", lambda: backward_cases(reference, INPUTS),
             has_gradient=True,
             mistakes=(
                 Mistake("one-hot-forgotten", "The true classes are not used.",
                         "This is the gradient of the normalization only. The logit of the true class pulls the other "
                         "way.", lambda gy, p, labels: gy * p / len(p)),
                 Mistake("only-the-label", "Only the logit of the true class gets a gradient.",
                         "All logits of a row are in the denominator, so all of them get a gradient.",
                         lambda gy, p, labels: gy * _hot(p, labels) * (p - 1) / len(p)),
                 Mistake("loss-of-p", "This is the gradient with respect to p, not to the logits.",
                         "It takes one more step back: through the softmax.",
                         lambda gy, p, labels: -gy * _hot(p, labels) / p / len(p)),
                 Mistake("softmax-derivative-twice", "This multiplies by the derivative of a sigmoid.",
                         "Softmax and logarithm together have a simpler gradient than either alone: derive log p "
                         "again.",
                         lambda gy, p, labels: gy * (p - _hot(p, labels)) * p * (1 - p) / len(p)),
             )),
    ),
    hints=(
        "log p = z - log(sum of e^z). Derive this on paper for one row, for the true class and for another class.",
        "First subtract the largest logit of each row: then the largest e^z is 1.",
        "The gradient of a row adds up to zero: what goes up for one class goes down for the others.",
    ))
