import math
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.definitions.cross_entropy_variants import (
    all_rows,
    backward,
    by_rows,
    forward,
    hot_rows,
    log_of,
    picked,
    softmax,
    terms_of,
)
from minimixer.exercises.task import Exercise, Mistake, Task
from minimixer.ops.cross_entropy import CrossEntropy

OVERFLOW = Mistake(
    "overflow", "Large logits overflow.",
    "For small logits the result is right. But e to the power of 900 is infinite, and infinity divided by infinity is "
    "not a number. Subtract something from each row before you use exp.")
P_OF_ZERO = Mistake(
    "divides-by-p", "It fails where a probability is zero.",
    "A probability can be rounded to 0, and then a division by p or a logarithm of p gives infinity or not a number. "
    "On paper, p cancels: simplify before you compute.")
ROWS = Mistake(
    "one-shift-for-all", "It fails where the logits of one row are much smaller than those of another.",
    "One number is subtracted from all rows, such as the largest logit of the whole batch. In a row far below it, "
    "every "
    "e^z is rounded to 0. Subtract from each row what fits this row.")


def _inputs(b: int, k: int, scale: float = 1.0, labels: list[int] | None = None, **more: Any) -> Inputs:
    drawn = np.random.default_rng(b).integers(0, k, b) if labels is None else np.array(labels)
    return Inputs((scale * normal(b * k, (b, k))[0],), (drawn,), {"B": b, "K": k}, **more)


INPUTS = [_inputs(3, 5), _inputs(7, 4, 2.0), _inputs(4, 2), _inputs(4, 4, 1.0, [3, 2, 1, 0]),
          _inputs(3, 3, 1.0, [1, 1, 1]), _inputs(1, 6, 1.0, [5]), _inputs(5, 2, 1.0, [0, 1, 0, 1, 1])]
LARGE = _inputs(5, 3, 900.0, note="logits up to 2,000")       # e ** 900 is infinite, and e ** -900 is zero
APART = Inputs((normal(3, (3, 4))[0] - np.array([[0.0], [1500.0], [3000.0]]),), (np.array([0, 3, 1]),),
               {"B": 3, "K": 4}, note="logits of one row far below those of another", reveals=ROWS)
# The labels are the largest logits: the probability of the true class is 1, and the others are 0.
SURE = Inputs((np.array([[0.0, 900.0, -900.0], [800.0, 0.0, 1.0], [0.0, 1.0, 900.0]]),), (np.array([1, 0, 2]),),
              {"B": 3, "K": 3}, note="some p are 0", reveals=P_OF_ZERO)


def reference(logits: Array, labels: Array) -> Any:
    total, (log_p, _) = CrossEntropy.forward(np, logits, labels, 0.0)
    return total / len(labels), (np.exp(log_p), labels)


MEAN = "The loss is the mean over the B images."

EXERCISE = Exercise(
    id="ex10", name="cross_entropy", title="Softmax and cross-entropy", lesson="10, the loss",
    tasks=(
        Task("forward", "CrossEntropy.forward", 5, ("loss", ("saved p", "saved labels")),
             lambda: forward_cases(reference, [*INPUTS, LARGE, APART]), vary=forward,
             rows="one image and two classes with logits 0", mistakes=(
                 Mistake(OVERFLOW.id, OVERFLOW.title, OVERFLOW.text,
                         change={"shift": lambda z: 0.0, "log": lambda z, p: np.log(p)}),
                 Mistake(OVERFLOW.id, OVERFLOW.title, OVERFLOW.text, change={"shift": lambda z: 0.0}),
                 Mistake("log-of-zero", "You take the logarithm of a probability that was rounded to zero.",
                         "For small logits the result is right. For large ones, some p is 0 and its logarithm is "
                         "infinite. Simplify the logarithm of the fraction on paper before you compute it.",
                         change={"log": lambda z, p: np.log(p)}),
                 *(Mistake("log-clipped", "A small number keeps the logarithm finite, but it changes the loss.",
                           "Where p is rounded to 0, the loss must be the difference of two logits, not the logarithm "
                           "of "
                           "your small number. Simplify the logarithm of the fraction on paper: then nothing is "
                           "clipped.",
                           change={"log": log}) for eps in (1e-9, 1e-8, 1e-7, 1e-6, 1e-10, 1e-12, 1e-15, 1e-16, 1e-5,
                                                            1e-20, 1e-30, 1e-300, 1e-100, 1e-4, 1e-3,
                                                            float(np.finfo(float).eps), float(np.finfo(np.float32).eps))
                   for log in (lambda z, p, eps=eps: np.log(p + eps), lambda z, p, eps=eps: np.log(np.maximum(p, eps)),
                               lambda z, p, eps=eps: np.log(np.clip(p, eps, 1 - eps)))),
                 Mistake("one-shift-for-all", ROWS.title, ROWS.text, change={"shift": lambda z: z.max()}),
                 Mistake("shift-by-mean", "The mean of a row is subtracted, not its largest logit.",
                         "Then some logits are still large, and exp overflows.",
                         change={"shift": lambda z: z.mean(1, keepdims=True)}),
                 Mistake("wrong-axis", "The softmax runs over the batch.",
                         "The probabilities of each image must add up to 1. Which axis holds the classes?",
                         change={"axis": 0, "shift": lambda z: z.max(0, keepdims=True)}),
                 Mistake("wrong-axis", "The softmax runs over the batch.",
                         "The probabilities of each image must add up to 1. Which axis holds the classes?",
                         change={"axis": 0}),
                 Mistake("all-axes", "The softmax runs over all images together.",
                         "The probabilities of each image must add up to 1: give sum an axis, and keep that axis.",
                         change={"axis": None, "shift": lambda z: z.max()}),
                 Mistake("all-axes", "The softmax runs over all images together.",
                         "The probabilities of each image must add up to 1: give sum an axis, and keep that axis.",
                         change={"axis": None}),
                 Mistake("sigmoid-for-softmax", "Each logit goes through a sigmoid, not through a softmax.",
                         "The probabilities of each image must add up to 1.",
                         change={"p_of": lambda z: 1 / (1 + np.exp(-z))}),
                 Mistake("all-labels", "Every image is compared with the labels of all images.",
                         "An index like p[:, labels] takes all rows for every label. You need one element per row.",
                         change={"loss": lambda log_p, p, labels: -log_p[:, labels].mean()}),
                 Mistake("all-classes", "The mean runs over the classes too.",
                         "Divide by the number of images B, not by B * K: only one class of each image counts.",
                         change={"loss": lambda log_p, p, labels: -picked(log_p, labels).sum() / p.size}),
                 Mistake("all-classes", "The mean runs over the classes too.",
                         "Divide by the number of images B, not by B * K: only one class of each image counts.",
                         change={"loss": lambda log_p, p, labels: -(hot_rows(p, labels) * log_p).mean()}),
                 Mistake("divides-by-classes", "The sum is divided by the number of classes, not of images.", MEAN,
                         change={"loss": lambda log_p, p, labels: -picked(log_p, labels).sum() / p.shape[1]}),
                 Mistake("sum-for-mean", "The losses of the images are added, not averaged.", MEAN,
                         change={"loss": lambda log_p, p, labels: -picked(log_p, labels).sum()}),
                 Mistake("mean-forgotten", "There is one loss per image.", MEAN,
                         change={"loss": lambda log_p, p, labels: -picked(log_p, labels)}),
                 Mistake("wrong-sign", "The loss has the wrong sign.",
                         "The logarithm of a probability is negative; the loss is minus it.",
                         change={"loss": lambda log_p, p, labels: picked(log_p, labels).mean()}),
                 *(Mistake("other-logarithm", "The logarithm has another base.", "The natural logarithm is np.log.",
                           change={"loss": lambda log_p, p, labels, base=base: -picked(log_p, labels).mean() / base})
                   for base in (math.log(2), math.log(10))),
                 Mistake("log-forgotten", "The logarithm is missing.",
                         "The loss is the mean of minus log p of the true class.",
                         change={"loss": lambda log_p, p, labels: -picked(p, labels).mean()}),
                 Mistake("log-of-mean", "The mean is taken before the logarithm.",
                         "The loss is the mean of the logarithms, one for each image.",
                         change={"loss": lambda log_p, p, labels: -np.log(picked(p, labels).mean())}),
                 *(Mistake("binary", "This is the loss of K yes-or-no questions.",
                           "Binary cross-entropy adds log(1 - p) of the other classes. Softmax has joined the classes "
                           "already: only the true class counts.",
                           change={"loss": lambda log_p, p, y, mean=mean: -mean(hot_rows(p, y) * log_p + (
                               1 - hot_rows(p, y)) * np.log(1 - p)), "log": lambda z, p: np.log(p)})
                   for mean in (lambda a: a.sum(1).mean(), lambda a: a.mean())),
                 Mistake("index-swapped", "Images and classes are swapped in the index.",
                         "The first axis counts the images, the second the classes.",
                         change={"loss": lambda log_p, p, labels: -log_p[labels, np.arange(len(labels))].mean()}),
                 Mistake("labels-not-used", "The labels are not used: the class with the largest p counts.",
                         "The loss is minus log p of the true class, whether it is the largest or not.",
                         change={"loss": lambda log_p, p, labels: -log_p.max(1).mean()}),
                 Mistake("labels-shifted", "The labels are shifted by one.", "They count from 0 to K - 1, like an "
                                                                             "index.",
                         change={"loss": lambda log_p, p, labels: -picked(log_p, labels - 1).mean()}),
                 Mistake("times-p", "The logarithm is multiplied by p.",
                         "That is a term of an entropy. Only the true class counts, with the weight 1.",
                         change={"loss": lambda log_p, p, labels: -picked(p * log_p, labels).mean()}),
                 Mistake("exponential-of-loss", "The loss is exponentiated.", "That is the perplexity.",
                         change={"loss": lambda log_p, p, labels: np.exp(-picked(log_p, labels).mean())}),
                 Mistake("accuracy", "This is the accuracy.", "The loss is minus the logarithm of p.",
                         change={"loss": lambda log_p, p, labels: (log_p.argmax(1) == labels).mean()}),
                 *(Mistake("labels-smoothed", "The labels are smoothed.", "Only the true class counts, with the "
                                                                          "weight 1.",
                           change={"loss": lambda log_p, p, y, s=s: -(((1 - s) * hot_rows(p,
                                                                                          y) + s / p.shape[1]) * log_p
                                                                      ).sum(1).mean()}) for s in (0.1, 0.05, 0.2)),
                 Mistake("squared-error", "This is a squared error.", "The loss is minus the logarithm of p.",
                         change={"loss": lambda log_p, p, labels: ((p - hot_rows(p, labels)) ** 2).sum(1).mean()}),
                 Mistake("entropy", "This is the entropy of p: the labels are not used.",
                         "Only the true class of each image counts.",
                         change={"loss": lambda log_p, p, labels: -(p * log_p).sum(1).mean()}),
                 Mistake("all-classes-summed", "The logarithms of all classes are added.",
                         "Only the true class of each image counts.",
                         change={"loss": lambda log_p, p, labels: -log_p.sum(1).mean()}),
                 Mistake("saves-log-p", "log p is saved, not p.", "backward needs the probabilities.",
                         change={"saved": lambda p, log_p, labels, z: (log_p, labels)}),
                 Mistake("saves-logits", "The logits are saved, not p.", "backward needs the probabilities.",
                         change={"saved": lambda p, log_p, labels, z: (z, labels)}),
                 Mistake("saves-one-hot", "One-hot rows are saved, not the labels.",
                         "Save the labels as they were given: one whole number per image.",
                         change={"saved": lambda p, log_p, labels, z: (p, hot_rows(p, labels))}),
                 Mistake("saves-picked", "Only the probability of the true class is saved.",
                         "backward needs all of them: p has the shape (B, K).",
                         change={"saved": lambda p, log_p, labels, z: (picked(p, labels), labels)}),
             )),
        Task("backward", "CrossEntropy.backward", 5, "glogits", lambda: backward_cases(reference, [*INPUTS, SURE]),
             has_gradient=True, vary=backward, rows="one image and two classes with logits 0",
             terms=(("glogits", (), terms_of),), mistakes=(
                 Mistake("one-hot-forgotten", "The true classes are not used.",
                         "This is the gradient of the normalization only. The logit of the true class pulls the other "
                         "way.", change={"hot": 0}),
                 Mistake("p-forgotten", "p is not used: only the true classes are.",
                         "All logits of a row are in the denominator, so all of them get a gradient.",
                         change={"p_factor": 0}),
                 Mistake("one-hot-added", "The true class is added, not subtracted.",
                         "When the logit of the true class grows, the loss falls.", change={"hot": -1}),
                 Mistake("wrong-sign", "glogits has the wrong sign.",
                         "When the logit of the true class grows, the loss falls: its gradient is negative.",
                         change={"hot": -1, "p_factor": -1}),
                 Mistake("only-the-label", "Only the logit of the true class gets a gradient.",
                         "All logits of a row are in the denominator, so all of them get a gradient.",
                         change={"also": hot_rows}),
                 Mistake("not-the-label", "The logit of the true class gets no gradient.",
                         "It has two: as one of the denominator, and as the true one.",
                         change={"also": lambda p, labels: 1 - hot_rows(p, labels)}),
                 Mistake("variance-of-p", "This is p (1 - p).",
                         "That is the derivative of a sigmoid. Derive log p again, for the true class and for another.",
                         lambda gy, p, labels: gy * p * (1 - p) / len(p)),
                 Mistake("labels-as-numbers", "The number of the class is subtracted, not a 1 at its place.",
                         "A label is a position. Subtract 1 from the entry at that position.",
                         lambda gy, p, labels: gy * (p - labels[:, None]) / len(p)),
                 Mistake("softmax-again", "softmax is applied to p once more.", "p are the probabilities already.",
                         lambda gy, p, labels: gy * (softmax(p) - hot_rows(p, labels)) / len(p)),
                 Mistake("log-for-p", "The logarithm of p takes the place of p.",
                         "The derivative of log p does not contain the logarithm.",
                         lambda gy, p, labels: gy * (log_of(p) - hot_rows(p, labels)) / len(p)),
                 Mistake("gy-added", "gy is added, not multiplied.", "By the chain rule, the incoming gradient "
                                                                     "multiplies.",
                         lambda gy, p, labels: gy + (p - hot_rows(p, labels)) / len(p)),
                 Mistake("loss-of-p", "This is the gradient with respect to p, not to the logits.",
                         "It takes one more step back: through the softmax.",
                         lambda gy, p, labels: -gy * hot_rows(p, labels) / p / len(p)),
                 Mistake("softmax-derivative-twice", "This multiplies by the derivative of a sigmoid.",
                         "Softmax and logarithm together have a simpler gradient than either alone: derive log p "
                         "again.", change={"also": lambda p, labels: p * (1 - p)}),
                 Mistake("squared-error", "This is the gradient of a squared error.",
                         "The derivative of a square brings a 2. The loss here is a logarithm: derive log p again.",
                         change={"hot": 2, "p_factor": 2}),
                 Mistake("divides-by-classes", "It is divided by the number of classes, not of images.",
                         MEAN + " B is the length of the first axis.", change={"count": lambda b, k: k}),
                 Mistake("all-classes", "It is divided by B * K.",
                         MEAN + " Only one class of each image counts.", change={"count": lambda b, k: b * k}),
                 Mistake("mean-forgotten", "It is not divided by the number of images.",
                         MEAN + " So each has a share of 1 / B.", change={"count": lambda b, k: 1}),
                 Mistake("mean-twice", "It is divided by the number of images twice.", MEAN,
                         change={"count": lambda b, k: b * b}),
                 Mistake("gy-ignored", "gy is not used.", "By the chain rule, the incoming gradient multiplies all.",
                         change={"gy_used": False}),
                 Mistake("all-labels", "Every row loses a 1 at the labels of all images.",
                         "An index like g[:, labels] takes all rows for every label. You need one element per row.",
                         all_rows),
                 Mistake(P_OF_ZERO.id, P_OF_ZERO.title, P_OF_ZERO.text, by_rows),
             )),
    ),
    hints=(
        "log p = z - log(sum of e^z). Derive this on paper for one row, for the true class and for another class.",
        "First subtract the largest logit of each row: then the largest e^z is 1.",
        "The gradient of a row adds up to zero: what goes up for one class goes down for the others.",
    ))
