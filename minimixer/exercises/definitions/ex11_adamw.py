from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.cases import normal
from minimixer.exercises.task import Case, Exercise, Function, Mistake, Task
from minimixer.optim import adamw_update

OPTIONS = {"lr": 0.1, "beta1": 0.8, "beta2": 0.95, "eps": 0.01, "weight_decay": 0.2}     # large, so that each shows


def reference(p: Array, g: Array, m: Array, v: Array, step: int, lr: float, beta1: float, beta2: float, eps: float,
              weight_decay: float) -> Any:
    p, m, v = p.copy(), m.copy(), v.copy()
    adamw_update(np, p, g, m, v, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, step=step)
    return p, m, v


def cases() -> list[Case]:
    found = []
    for seed, (shape, step) in enumerate([((3,), 1), ((2, 3), 2), ((4,), 7), ((3, 2), 100)]):
        p, g, m, v = normal(seed, shape, shape, shape, shape)
        m, v = (0 * m, 0 * v) if step == 1 else (0.5 * m, v * v)
        arguments = (p, g, m, v, step, *OPTIONS.values())
        found.append(Case(f"shape {shape}, step = {step}", arguments, reference(*arguments)))
    return found


@dataclass(frozen=True)
class Rule:
    """AdamW with one part changed."""

    mean: Callable[..., Any] = lambda old, new, beta: beta * old + (1 - beta) * new
    square: Callable[..., Any] = lambda g: g * g
    correct: Callable[..., Any] = lambda mean, beta, step: mean / (1 - beta**step)
    divide: Callable[..., Any] = lambda m, v, eps: m / (np.sqrt(v) + eps)
    decay: Callable[..., Any] = lambda p, new, lr, wd: new - lr * wd * p
    coupled: bool = False
    swapped: bool = False
    returns_corrected: bool = False
    sign: int = 1

    def __call__(self, p: Array, g: Array, m: Array, v: Array, step: int, lr: float, beta1: float, beta2: float,
                 eps: float, weight_decay: float) -> Any:
        if self.coupled:
            g = g + weight_decay * p
        if self.swapped:
            beta1, beta2 = beta2, beta1
        m, v = self.mean(m, g, beta1), self.mean(v, self.square(g), beta2)
        with np.errstate(all="ignore"):
            m_hat, v_hat = self.correct(m, beta1, step), self.correct(v, beta2, step)
            new = p - self.sign * lr * self.divide(m_hat, v_hat, eps)
        new = new if self.coupled else self.decay(p, new, lr, weight_decay)
        return (new, m_hat, v_hat) if self.returns_corrected else (new, m, v)


def _mistakes() -> list[tuple[str, str, str, Function]]:
    return [
        ("coupled-decay", "The decay is coupled: it is part of the gradient.",
         "That is Adam with L2 regularization: the decay enters m and v and is divided by the root. In AdamW, the "
         "decay acts on p alone.", Rule(coupled=True)),
        ("bias-correction-forgotten", "The bias correction is missing.",
         "m and v start at zero, so they are too small in the first steps. Read the text above the formula.",
         Rule(correct=lambda mean, beta, step: mean)),
        ("step-from-0", "The bias correction counts the steps from 0.",
         "step is 1 in the first step. You use step - 1.",
         Rule(correct=lambda mean, beta, step: mean / (1 - beta ** (step - 1)) if step > 1 else mean / 0)),
        ("step-from-2", "The bias correction is one step ahead.",
         "step is 1 in the first step. You use step + 1.",
         Rule(correct=lambda mean, beta, step: mean / (1 - beta ** (step + 1)))),
        ("returns-corrected", "The corrected means are returned.",
         "The correction is for this step only. The next step needs m and v without it.",
         Rule(returns_corrected=True)),
        ("eps-inside-root", "eps is inside the square root.", "In Adam, eps is added to the root of v, not to v.",
         Rule(divide=lambda m, v, eps: m / np.sqrt(v + eps))),
        ("no-root", "The update is divided by v, not by its square root.",
         "v is a mean of squares. Only its root has the scale of a gradient.",
         Rule(divide=lambda m, v, eps: m / (v + eps))),
        ("decay-without-lr", "The decay is not multiplied by lr.",
         "The learning rate scales both parts of the step.",
         Rule(decay=lambda p, new, lr, wd: new - wd * p)),
        ("decay-forgotten", "There is no weight decay.",
         "The step has two parts. Look at the last term of the formula.",
         Rule(decay=lambda p, new, lr, wd: new)),
        ("decay-of-new-p", "The decay uses the parameter after the update.",
         "Both parts of the step use the same p, from before the step.",
         Rule(decay=lambda p, new, lr, wd: new - lr * wd * new)),
        ("square-forgotten", "v is a mean of the gradients, not of their squares.",
         "v measures the size of the gradients, regardless of their sign.",
         Rule(square=lambda g: g)),
        ("betas-swapped", "beta1 and beta2 are swapped.", "beta1 belongs to m, beta2 to v.",
         Rule(swapped=True)),
        ("shares-swapped", "The shares of the old mean and the new value are swapped.",
         "A beta near 1 means a slow mean: it keeps almost all of the old value.",
         Rule(mean=lambda old, new, beta: (1 - beta) * old + beta * new)),
        ("not-a-mean", "The new value is added in full.",
         "In a running mean, the two shares add up to 1: the more you keep of the old value, the less you take of the "
         "new one.",
         Rule(mean=lambda old, new, beta: beta * old + new)),
        ("uphill", "The step goes up the gradient.", "The loss grows along the gradient: go the other way.",
         Rule(sign=-1)),
    ]


EXERCISE = Exercise(
    id="ex11", name="adamw", title="A step of AdamW", lesson="10, training: loss, AdamW, schedules",
    tasks=(Task("adamw_step", "adamw_step", 10, ("p", "m", "v"), cases, tolerance=1e-9,
                mistakes=tuple(Mistake(*mistake) for mistake in _mistakes())),),
    hints=(
        "Five lines are enough: m, v, the corrected m, the corrected v, p.",
        "A running mean: a large share of the old value plus a small share of the new one; the shares add up to 1.",
        "Give the corrected means their own names. Return m and v without the correction.",
    ))
