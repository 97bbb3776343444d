"""Run one task on its cases and record everything a diagnosis needs."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.raised import Raised, describe
from minimixer.exercises.task import Case, Function, Names, Task
from minimixer.exercises.wire import arrays_in, kind_of
from minimixer.exercises.words import is_theirs

LOOSE = 1e-5        # relative to the largest entry: below this, two arrays count as the same
NOISE = 1e-8        # below this, central differences are rounding


class StructureError(Exception):
    """The result's structure does not match the expected one; holds a diagnosis id and the words for it."""

    def __init__(self, problem: str, **words: Any):
        super().__init__(problem)
        self.problem = problem
        self.words = words


class AnswerError(Exception):
    """What the student's function raised in another process."""

    def __init__(self, raised: Raised):
        super().__init__(raised.said)
        self.raised = raised


@dataclass(frozen=True, eq=False)
class Leaf:
    """One tensor of one case."""

    name: str
    expected: Array
    found: Array | None
    error: float                # largest difference relative to the largest entry; infinite if shapes differ
    verdict: str                # "right", "WRONG", "shape", "dtype", "list" or "missing"


@dataclass(frozen=True)
class Outcome:
    """What happened in one case."""

    case: Case
    leaves: tuple[Leaf, ...] = ()
    raised: Raised | StructureError | None = None
    wrote: tuple[int, ...] = ()         # positions of arguments that the call modified
    moved: float = 0.0                  # how far, relative to the largest entry
    again: str = "same"                 # what a second call returned: "same", "doubled" or "different"
    shared: tuple[tuple[str, str], ...] = ()        # results that are one and the same array


@dataclass(frozen=True)
class Answer:
    """A student's function, in this process or another one."""

    function: Function
    parameters: tuple[str, ...] = ()    # their names, as far as known
    started: bool = True                # more than `raise NotImplementedError`


@dataclass(frozen=True)
class Evidence:
    """All outcomes of one task."""

    task: Task
    answer: Answer
    outcomes: tuple[Outcome, ...]
    others: Mapping[str, Answer] = field(default_factory=dict)      # the file's other functions, by task

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


def numbers(leaf: Leaf) -> Array:
    """The student's array; empty if there is none."""
    return np.zeros(0) if leaf.found is None else leaf.found


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
        raise StructureError("wrong-count", place=place, expected=_listing(names), count=len(names),
                             found=f"one {kind_of(found)}")
    if len(found) != len(names):
        flat = len(list(arrays_in(found))) == len(leaf_names(names)) or len(found) == len(leaf_names(names))
        raise StructureError("not-grouped" if flat else "wrong-count", place=place, expected=_listing(names),
                             found=f"{len(found)} item{'s' * (len(found) != 1)}", count=len(names))
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
    except (ValueError, TypeError):
        array = np.asarray(None)
    if array.dtype.kind not in "fiubc":
        raise StructureError("not-an-array", name=name, found=kind_of(value))
    return array


def same(one: Array | None, other: Array | None, tolerance: float) -> bool:
    """Whether two arrays have the same shape and, relative to the largest entry, the same values; nan equals nan."""
    if one is None or other is None or one.shape != other.shape:
        return one is other
    scale = max(float(np.abs(other[np.isfinite(other)]).max(initial=0)), NOISE / tolerance)
    with np.errstate(all="ignore"):
        return bool(np.allclose(one, other, rtol=0, atol=tolerance * scale, equal_nan=True))


def compare(name: str, expected: Any, value: Any, tolerance: float) -> Leaf:
    """Compare one tensor with its expected value."""
    e, f = np.asarray(expected), as_array(name, value)
    if f is None:
        return Leaf(name, e, None, np.inf, "missing")
    if f.shape != e.shape:
        return Leaf(name, e, f, np.inf, "shape")
    scale = max(float(np.abs(e).max(initial=0)), NOISE / tolerance)
    with np.errstate(all="ignore"):
        error = float(np.abs(f.astype(complex if f.dtype.kind == "c" else float) - e).max(initial=0)) / scale
    verdict = "right" if error <= tolerance else "WRONG"        # nan is WRONG
    if not _suits(f.dtype, e, value):
        verdict = "dtype"
    elif verdict == "right" and isinstance(value, (list, tuple)) and isinstance(expected, np.ndarray):
        verdict = "list"
    return Leaf(name, e, f, error, verdict)


def _suits(found: np.dtype, expected: Array, value: Any) -> bool:
    """Whether a result has a fitting dtype: float64 for gradients, an integer for labels; a Python number fits."""
    if expected.dtype.kind in "iub":
        return found.kind in "iu" or expected.dtype.kind == found.kind
    return (found.kind == "f" and found.itemsize >= 8) or (found.kind in "iu" and not isinstance(value, np.ndarray))


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


def moved(argument: Any, before: Any) -> float:
    """How far the arrays of an argument are from their old values, relative to the largest entry."""
    if isinstance(argument, tuple):
        return max(map(moved, argument, before), default=0.0)
    if not isinstance(argument, np.ndarray) or np.array_equal(argument, before, equal_nan=argument.dtype.kind in "fc"):
        return 0.0
    return float(np.abs(argument - before).max()) / max(float(np.abs(before).max()), NOISE) or np.inf


def call(task: Task, function: Function, case: Case) -> Any:
    """Call the function once, without NumPy warnings."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return task.call(function, case)


def observe(task: Task, function: Function, case: Case) -> Outcome:
    """Call the student's function twice on one case and record what happened."""
    given = replace(case, arguments=fresh(case.arguments))
    try:
        result = call(task, function, given)
        judged = leaves(task, case, result)
        shared = _shared(judged)
        judged = tuple(replace(leaf, found=fresh(leaf.found)) for leaf in judged)      # the second call may modify them
        distances = [moved(now, old) for now, old in zip(given.arguments, case.arguments, strict=True)]
        second = judged if case.once else leaves(task, case, call(
            task, function, replace(case, arguments=fresh(case.arguments))))
    except (Exception, SystemExit) as error:
        return Outcome(case, raised=error if isinstance(error, StructureError) else told(error))
    wrote = tuple(position for position, distance in enumerate(distances) if distance)
    return Outcome(case, judged, None, wrote, max(distances, default=0.0), _again(judged, second, task.tolerance),
                   shared)


def told(error: BaseException) -> Raised:
    """An exception of the student's code, from this process or another one."""
    return error.raised if isinstance(error, AnswerError) else describe(error, is_theirs)


def _shared(found: tuple[Leaf, ...]) -> tuple[tuple[str, str], ...]:
    arrays = [leaf for leaf in found if leaf.found is not None and leaf.found.size]
    return tuple((one.name, other.name) for i, one in enumerate(arrays) for other in arrays[i + 1:]
                 if np.shares_memory(numbers(one), numbers(other)))


def _again(first: tuple[Leaf, ...], second: tuple[Leaf, ...], tolerance: float) -> str:
    pairs = [(a.found, b.found) for a, b in zip(first, second, strict=True) if a.found is not None]
    changed = [(a, b) for a, b in pairs if not same(b, a, tolerance)]
    if not changed:
        return "same"
    doubled = all(b is not None and same(b, 2.0 * a, 1e-6) for a, b in changed)
    return "doubled" if doubled else "different"
