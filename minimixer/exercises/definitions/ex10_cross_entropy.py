from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.task import Exercise, Function, Mistake, Task
from minimixer.ops.softmax import CrossEntropy


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
    """A forward from probabilities, quiet about the logarithm of zero."""
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
                         "For small logits the result is right. But e to the power of 900 is infinite, and infinite by "
                         "infinite is not a number. Subtract something from each row before you use exp.",
                         _from_p(_unshifted, _loss)),
                 Mistake("log-of-zero", "The logarithm of a probability that was rounded to zero.",
                         "For small logits the result is right. For large ones some p is 0 and its logarithm infinite. "
                         "Simplify the logarithm of the fraction on paper, before you compute it.",
                         _from_p(_softmax, _loss)),
                 Mistake("wrong-axis", "The softmax runs over the batch.",
                         "The probabilities of one picture must add up to 1. Which axis holds the classes?",
                         _from_p(lambda z: _softmax(z, 0), _loss)),
                 Mistake("all-axes", "The softmax runs over all pictures together.",
                         "The probabilities of each picture must add up to 1: give an axis to sum, and keep it.",
                         _from_p(lambda z: _softmax(z, None), _loss)),
                 Mistake("all-pairs", "Every picture is compared with the labels of all pictures.",
                         "An index like p[:, labels] takes all rows for every label. One element of each row is "
                         "needed.",
                         _from_p(_softmax, lambda p, labels: -np.log(p[:, labels]).mean())),
                 Mistake("all-classes", "The mean is taken over the classes too.",
                         "Divide by the number of pictures B, not by B * K: only one class of each picture counts.",
                         _from_p(_softmax, lambda p, labels: -(_hot(p, labels) * np.log(p)).mean())),
                 Mistake("log-forgotten", "The logarithm is missing.",
                         "The loss is the mean of minus log p of the true class.",
                         _from_p(_softmax, lambda p, labels: -p[np.arange(len(labels)), labels].mean())),
             )),
        Task("backward", "CrossEntropy.backward", 5, "glogits", lambda: backward_cases(reference, INPUTS),
             has_gradient=True,
             mistakes=(
                 Mistake("one-hot-forgotten", "The true classes are not used.",
                         "This is the gradient of the normalization only. The logit of the true class pulls in the "
                         "other direction.", lambda gy, p, labels: gy * p / len(p)),
                 Mistake("only-the-label", "Only the logit of the true class gets a gradient.",
                         "All logits of a row are in the sum below the fraction, so all get a gradient.",
                         lambda gy, p, labels: gy * _hot(p, labels) * (p - 1) / len(p)),
                 Mistake("loss-of-p", "This is the gradient with respect to p, not to the logits.",
                         "One more step back is needed: through the softmax.",
                         lambda gy, p, labels: -gy * _hot(p, labels) / p / len(p)),
                 Mistake("softmax-derivative-twice", "This multiplies with the derivative of a sigmoid.",
                         "Softmax and logarithm together have a simpler gradient than each alone: derive log p once "
                         "more.",
                         lambda gy, p, labels: gy * (p - _hot(p, labels)) * p * (1 - p) / len(p)),
             )),
    ),
    hints=(
        "log p = z - log(sum of e^z). Derive this on paper for one row, for the true class and for another one.",
        "Subtract the largest logit of each row first: then the largest e^z is 1.",
        "The gradient of a row adds up to zero: what is pulled up at one class is pushed down at the others.",
    ))
