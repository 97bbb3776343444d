import numpy as np

from minimixer import functional as F
from minimixer.autograd import grad
from minimixer.backend import Array
from minimixer.exercises.cases import normal, swap_memory
from minimixer.exercises.task import Case, Exercise, Function, Mistake, Task
from minimixer.tensor import Tensor

SHAPES = [(5,), (3, 4), (2, 3, 2), ()]


def _square(x: Tensor) -> Tensor:
    return (x * x * 3.0 - x).sum() + x.sum() * x.sum() * 0.5        # an entry not restored shows in the others


def _curved(x: Tensor) -> Tensor:
    return (F.gelu(x, "erf") * 2.0 + x.exp()).sum()


def _cubic(x: Tensor) -> Tensor:
    return (x * x * x).sum()                # central differences are 3 x^2 + step^2


def cases() -> list[Case]:
    found = []
    for seed, shape in enumerate(SHAPES):
        for fn, step in ((_square, 1e-2), (_curved, 1e-5), (_cubic, 0.5)):
            for transposed in (False, True):
                x, = normal(seed, shape)
                x = swap_memory(np.asarray(x)) if transposed else np.asarray(x)
                leaf = Tensor(x, requires_grad=True)
                expected, = grad(fn(leaf), [leaf])
                expected = expected + step**2 if fn is _cubic else expected
                label = f"x of shape {shape}, step = {step:g}" + (", transposed memory" if transposed else "")
                found.append(Case(label, (lambda x, fn=fn: float(fn(Tensor(x)).data), x, step), expected,
                                  transposed=transposed))
    return found


def _not_put_back(f: Function, x: Array, step: float) -> Array:
    x = x.copy()
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        start = x[index]
        x[index] = start + step
        above = f(x)
        x[index] = start - step
        gradient[index] = (above - f(x)) / (2 * step)
    return gradient


def _one_sided(f: Function, x: Array, above: float, below: float, width: float) -> Array:
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[index] = 1
        gradient[index] = (f(x + above * move) - f(x - below * move)) / width
    return gradient


EXERCISE = Exercise(
    id="ex03", name="differences", title="A gradient by finite differences", lesson="03, finite differences",
    tasks=(Task(
        "numeric_gradient", "numeric_gradient", 10, "gradient", cases,
        mistakes=(
            Mistake("forward-difference", "The difference is one-sided, not central.",
                    "You compare f at x with f at x + step. The error is then of the order of step, as the table "
                    "shows. Use both sides of x.", lambda f, x, step: _one_sided(f, x, step, 0, step)),
            Mistake("backward-difference", "The difference is one-sided, not central.",
                    "You compare f at x with f at x - step. The error is then of the order of step, as the table "
                    "shows. Use both sides of x.", lambda f, x, step: _one_sided(f, x, 0, step, step)),
            Mistake("divides-by-step", "The difference is divided by step.",
                    "How far apart are the two points? From x - step to x + step.",
                    lambda f, x, step: _one_sided(f, x, step, step, step)),
            Mistake("not-divided", "The difference is not divided by the distance between the two points.",
                    "A slope is rise over run: this is the rise.", lambda f, x, step: _one_sided(f, x, step, step, 1)),
            Mistake("not-put-back", "A moved entry is not restored.",
                    "Each difference starts at x itself: after moving an entry, restore its old value.",
                    _not_put_back),
            Mistake("ignores-step", "The argument step is not used.",
                    "The caller chooses how far to go, and may want to see the effect of a large step.",
                    lambda f, x, step: _one_sided(f, x, 1e-5, 1e-5, 2e-5)),
            Mistake("moves-all", "All entries of x are moved at once.",
                    "Then every entry gets the same slope, the sum of all. Move one entry, measure, restore it.",
                    lambda f, x, step: np.full(x.shape, (f(x + step) - f(x - step)) / (2 * step))),
        ), tolerance=1e-5),),
    hints=(
        "Start with x of shape (1,): two calls of f give one slope.",
        "np.ndindex(x.shape) gives every index of an array with any number of axes, transposed or not.",
        "Work on a copy of x. Then there is nothing to restore at the end.",
    ))
