from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.cases import normal, swap_memory
from minimixer.exercises.task import Case, Exercise, Function, Mistake, Task

SHAPES = [(5,), (3, 4), (2, 3, 2), (3, 3), (), (1,)]
NO_AXES = Mistake("no-axes", "It fails for an array without axes.",
                  "x of shape () holds one number, and its gradient has the shape (). It has no axis to loop over, but "
                  "np.ndindex(()) gives one index.")


class ShapeOfF(Exception):
    """f got an array of another shape than x."""


def functions(shape: tuple[int, ...]) -> dict[str, tuple[Function, Function, float]]:
    """Functions of an array of this shape only, no two entries alike; their central differences, and a step."""
    weights = np.arange(1.0, np.prod(shape, dtype=int) + 1).reshape(shape) / 3

    def checked(fn: Function) -> Function:
        def f(x: Array) -> float:
            if np.shape(x) != shape:
                raise ShapeOfF(f"f takes an array of shape {shape}, and was called with {np.shape(x)}")
            return float(fn(np.asarray(x)))
        return f

    return {
        "quadratic": (checked(lambda x: (weights * x * x - x).sum() + 0.5 * x.sum() ** 2),     # shows what stays moved
                      lambda x, h: 2 * weights * x - 1 + x.sum(), 1e-2),
        "curved": (checked(lambda x: np.sin(weights * x).sum() + np.exp(0.5 * x).sum()),
                   lambda x, h: weights * np.cos(weights * x) + 0.5 * np.exp(0.5 * x), 1e-5),
        "cubic": (checked(lambda x: (weights * x ** 3).sum()),
                  lambda x, h: weights * (3 * x * x + h * h), 0.5)}


def cases() -> list[Case]:
    found = []
    for seed, shape in enumerate(SHAPES):
        for name, (fn, differences, step) in functions(shape).items():
            for transposed in (False, True) if len(shape) > 1 else (False,):
                x, = normal(seed, shape)
                x = swap_memory(np.asarray(x)) if transposed else np.asarray(x)
                label = f"x of shape {shape}, {name} f, step = {step:g}" + (", transposed memory" if transposed else "")
                found.append(Case(label, (fn, x, step), np.asarray(differences(x, step)), transposed=transposed,
                                  reveals=NO_AXES if shape == () else None))
    return found


def vary(above: float = 1, below: float = 1, width: float = 2, power: float = 1, step: float | None = None,
         dtype: type = float, put_back: bool = True, relative: bool = False) -> Function:
    """Differences with one part changed."""
    def gradient(f: Function, x: Array, h: float) -> Array:
        h = h if step is None else step
        x = np.array(x, dtype=dtype)
        found = np.empty(x.shape)
        for index in np.ndindex(x.shape):
            start = x[index]
            move = h * abs(start) if relative else h
            x[index] = start + above * move
            high = f(x)
            x[index] = start - below * move
            found[index] = (high - f(x)) / (width * move**power)
            if put_back:
                x[index] = start
        return found
    return gradient


def second(f: Function, x: Array, h: float) -> Array:
    found = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[index] = h
        found[index] = (f(x + move) - 2 * f(x) + f(x - move)) / h**2
    return found


def unbracketed(f: Function, x: Array, h: float) -> Array:
    found = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[index] = h
        found[index] = f(x + move) - f(x - move) / (2 * h)
    return found


def rows(f: Function, x: Array, h: float) -> Any:
    """Move all that is behind the first index at once."""
    found = np.zeros(x.shape)
    for i in range(len(x)):
        move = np.zeros(x.shape)
        move[i] = h
        found[i] = (f(x + move) - f(x - move)) / (2 * h)
    return found




EXERCISE = Exercise(
    id="ex03", name="differences", title="A gradient by finite differences", lesson="03, finite differences",
    tasks=(Task(
        "numeric_gradient", "numeric_gradient", 10, "gradient", cases, vary=vary, rows="x with one number, f(x) = x * "
                                                                                       "x",
        mistakes=(
            Mistake("forward-difference", "The difference is one-sided, not central.",
                    "You compare f at x with f at x + step. The error is then of the order of step, as the table "
                    "shows. Use both sides of x.", change={"below": 0, "width": 1}),
            Mistake("backward-difference", "The difference is one-sided, not central.",
                    "You compare f at x with f at x - step. The error is then of the order of step, as the table "
                    "shows. Use both sides of x.", change={"above": 0, "width": 1}),
            Mistake("half-steps", "You move only half a step to each side.",
                    "The two points must be at x - step and x + step: the caller chooses how far to go, and the error "
                    "shows it.", change={"above": 0.5, "below": 0.5, "width": 1}),
            Mistake("double-steps", "You move two steps to each side.",
                    "The two points must be at x - step and x + step.", change={"above": 2, "below": 2, "width": 4}),
            Mistake("divides-by-step", "The difference is divided by step.",
                    "How far apart are the two points? From x - step to x + step.", change={"width": 1}),
            Mistake("one-sided-by-two", "One-sided, and divided by two steps.",
                    "The two points are only one step apart. Use both sides of x.", change={"below": 0}),
            Mistake("one-sided-by-two", "One-sided, and divided by two steps.",
                    "The two points are only one step apart. Use both sides of x.", change={"above": 0}),
            Mistake("not-divided", "The difference is not divided by the distance between the two points.",
                    "A slope is rise over run: this is the rise.", change={"width": 1, "power": 0}),
            Mistake("divided-by-two-only", "The difference is divided by 2, not by the distance between the points.",
                    "A slope is rise over run: how far apart are the two points?", change={"power": 0}),
            Mistake("step-squared", "The difference is divided by the square of step.",
                    "A square belongs to a second derivative. How far apart are the two points?", change={"power": 2}),
            Mistake("step-squared", "The difference is divided by the square of step.",
                    "A square belongs to a second derivative. How far apart are the two points?",
                    change={"power": 2, "width": 1}),
            Mistake("brackets", "The difference is divided by 2, and then multiplied by step.",
                    "a / 2 * h is (a / 2) * h: the denominator needs brackets.", change={"power": -1}),
            Mistake("brackets", "Only the second value is divided.",
                    "a - b / c divides b alone: the difference needs brackets.", unbracketed),
            Mistake("second-derivative", "This is the second derivative.",
                    "f(x + step) - 2 f(x) + f(x - step) measures how the slope changes. Here the slope itself is asked "
                    "for: two points are enough.", second),
            Mistake("not-put-back", "A moved entry is not restored.",
                    "Each difference starts at x itself: after moving an entry, restore its old value.",
                    change={"put_back": False}),
            *(Mistake("ignores-step", "The argument step has no effect on the result.",
                      "The caller chooses how far to go, and may want to see the effect of a large step.",
                      change={"step": step}) for step in (1e-5, 1e-4, 1e-6, 1e-3, 1e-7, 1e-2, 1e-8)),
            Mistake("relative-step", "The step is scaled by the entry.",
                    "The caller chooses how far to go: the same distance for every entry, also where x is 0.",
                    change={"relative": True}),
            *(Mistake("low-precision", f"The differences are computed in {name}.",
                      "Near 1, float32 knows 7 digits and float16 3: a small step is lost in their rounding. Keep the "
                      "dtype of x.", change={"dtype": dtype})
              for name, dtype in (("float32", np.float32), ("float16", np.float16))),
            Mistake("int-copy", "x is copied as whole numbers.", "Then its fractions are lost, and a small step too. "
                    "Keep the dtype of x.", change={"dtype": int}),
            Mistake("wrong-sign", "The difference has the wrong sign.",
                    "The slope is positive where f grows: f above minus f below.", change={"width": -2}),
            Mistake("moves-all", "All entries of x are moved at once.",
                    "Then every entry gets the same slope, the sum of all. Move one entry, measure, restore it.",
                    lambda f, x, step: np.full(x.shape, (f(x + step) - f(x - step)) / (2 * step))),
            Mistake("moves-rows", "A whole row of x is moved at once.",
                    "Then all its entries get the same slope, the sum of theirs. An index for every axis reaches one "
                    "entry.", rows),
        ),
        errors={"ShapeOfF": Mistake(
            "shape-for-f", "f is called with an array of another shape than x.",
            "f takes what x is: not a flat copy, a transpose, a row, or one number. Move one entry of a copy of x, and "
            "call f with the whole copy.")},
        tolerance=1e-5, axes=lambda case: case.arguments[1].ndim),),
    hints=(
        "Start with x of shape (1,): two calls of f give one slope.",
        "np.ndindex(x.shape) gives every index of an array with any number of axes, transposed or not.",
        "Work on a copy of x. Then there is nothing to restore at the end.",
    ))
