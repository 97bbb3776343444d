"""Run one task on its cases and record everything a diagnosis needs."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.task import Case, Function, Names, Task

NOISE = 1e-8        # below this, central differences are rounding


class StructureError(Exception):
    """The result's structure does not match the expected one; holds a diagnosis id and the words for it."""

    def __init__(self, problem: str, **words: Any):
        super().__init__(problem)
        self.problem = problem
        self.words = words


@dataclass(frozen=True)
class Leaf:
    """One tensor of one case."""

    name: str
    expected: Array
    found: Array | None
    error: float                # largest difference relative to the largest entry; infinite if shapes differ
    verdict: str                # "right", "WRONG", "shape" or "missing"


@dataclass(frozen=True)
class Outcome:
    """What happened in one case."""

    case: Case
    leaves: tuple[Leaf, ...] = ()
    raised: BaseException | None = None
    wrote: tuple[int, ...] = ()         # positions of arguments that the call modified
    again: str = "same"                 # what a second call returned: "same", "doubled" or "different"


@dataclass(frozen=True)
class Evidence:
    """All outcomes of one task."""

    task: Task
    function: Function
    outcomes: tuple[Outcome, ...]

    def of(self, name: str) -> list[tuple[Case, Leaf]]:
        """One tensor in every case that returned."""
        return [(outcome.case, leaf) for outcome in self.outcomes for leaf in outcome.leaves if leaf.name == name]

    def wrong(self) -> list[str]:
        """Names of the tensors that are wrong in any case, in the task's order."""
        names = [leaf.name for outcome in self.outcomes for leaf in outcome.leaves if leaf.verdict != "right"]
        return [name for name in leaf_names(self.task.outputs) if name in names]

    @property
    def right(self) -> bool:
        """Whether the task is solved."""
        return not self.wrong() and all(o.raised is None and not o.wrote and o.again == "same" for o in self.outcomes)


def leaf_names(names: Names) -> list[str]:
    """The names of all compared tensors."""
    if isinstance(names, tuple):
        return [name for part in names for name in leaf_names(part)]
    return [] if names is None else [names]


def flatten(names: Names, expected: Any, found: Any, place: str = "the result") -> Iterator[tuple[str, Any, Any]]:
    """Match the tensors of two nested results.  Raises StructureError."""
    if names is None or expected is None:
        return
    if isinstance(names, str):
        yield names, expected, found
        return
    if found is None:
        raise StructureError("returns-none" if place == "the result" else "missing", place=place)
    if not isinstance(found, (tuple, list)):
        raise StructureError("wrong-count", place=place, expected=_listing(names), found=f"one {type(found).__name__}")
    if len(found) != len(names):
        raise StructureError("wrong-count", place=place, expected=_listing(names), found=f"{len(found)} items")
    for name, e, f in zip(names, expected, found, strict=True):
        yield from flatten(name, e, f, place if isinstance(name, str) else _place(name))


def _place(names: Names) -> str:
    first = next(iter(leaf_names(names)), "saved")
    return f"the tuple of {first.split()[0]!r}"


def _listing(names: tuple[Names, ...]) -> str:
    what = [name if isinstance(name, str) else _place(name) for name in names]
    return f"{len(names)} items: {', '.join(what)}"


def as_array(name: str, value: Any) -> Array | None:
    """Convert a returned value to an array; None stays None.  Raises StructureError."""
    if value is None:
        return None
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "fiub":
        raise StructureError("not-an-array", name=name, found=type(value).__name__)
    return array


def same(one: Array | None, other: Array | None, tolerance: float) -> bool:
    """Whether two arrays have the same shape and, relative to the largest entry, the same values; nan equals nan."""
    if one is None or other is None or one.shape != other.shape:
        return one is other
    scale = max(float(np.abs(other[np.isfinite(other)]).max(initial=0)), NOISE / tolerance)
    return bool(np.allclose(one, other, rtol=0, atol=tolerance * scale, equal_nan=True))


def compare(name: str, expected: Any, value: Any, tolerance: float) -> Leaf:
    """Compare one tensor with its expected value."""
    e, f = np.asarray(expected), as_array(name, value)
    if f is None:
        return Leaf(name, e, None, np.inf, "missing")
    if f.shape != e.shape:
        return Leaf(name, e, f, np.inf, "shape")
    scale = max(float(np.abs(e).max(initial=0)), NOISE / tolerance)
    error = float(np.abs(f.astype(np.float64) - e).max(initial=0)) / scale
    return Leaf(name, e, f, error, "right" if error <= tolerance else "WRONG")     # nan is WRONG


def leaves(task: Task, case: Case, result: Any) -> tuple[Leaf, ...]:
    """Compare everything that a function returned.  Raises StructureError."""
    if result is None:
        raise StructureError("returns-none", place="the result")
    return tuple(compare(*triple, task.tolerance) for triple in flatten(task.outputs, case.expected, result))


def fresh(argument: Any) -> Any:
    """Copy the arrays in an argument, keeping their memory order."""
    if isinstance(argument, tuple):
        return tuple(map(fresh, argument))
    return np.array(argument, order="K") if isinstance(argument, np.ndarray) else argument


def unchanged(argument: Any, before: Any) -> bool:
    """Whether all arrays in an argument still have their values."""
    if isinstance(argument, tuple):
        return all(map(unchanged, argument, before))
    return not isinstance(argument, np.ndarray) or bool(np.array_equal(argument, before))


def call(task: Task, function: Function, case: Case) -> Any:
    """Call the function once, without NumPy warnings."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return task.call(function, case)


def observe(task: Task, function: Function, case: Case) -> Outcome:
    """Call the student's function twice on one case and record what happened."""
    given = replace(case, arguments=fresh(case.arguments))
    try:
        judged = leaves(task, case, call(task, function, given))
        judged = tuple(replace(leaf, found=fresh(leaf.found)) for leaf in judged)      # the second call may modify them
        wrote = tuple(position for position, (now, before) in
                      enumerate(zip(given.arguments, case.arguments, strict=True)) if not unchanged(now, before))
        second = leaves(task, case, call(task, function, replace(case, arguments=fresh(case.arguments))))
    except (Exception, SystemExit) as error:
        return Outcome(case, raised=error)
    return Outcome(case, judged, wrote=wrote, again=_again(judged, second, task.tolerance))


def _again(first: tuple[Leaf, ...], second: tuple[Leaf, ...], tolerance: float) -> str:
    pairs = [(a.found, b.found) for a, b in zip(first, second, strict=True) if a.found is not None]
    changed = [(a, b) for a, b in pairs if not same(b, a, tolerance)]
    if not changed:
        return "same"
    doubled = all(b is not None and same(b, 2.0 * a, 1e-6) for a, b in changed)
    return "doubled" if doubled else "different"
