"""``mm.exercises.turn``: a lesson asks for a few lines of the reader's own, and says at once whether they are right."""

import dis
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.errors import UsageError
from minimixer.exercises import mismatch
from minimixer.exercises.evidence import LOOSE, NOISE, Answer, Evidence, Outcome, compare
from minimixer.exercises.raised import describe
from minimixer.exercises.task import Case, Task
from minimixer.exercises.wire import kind_of
from minimixer.exercises.words import printable
from minimixer.tensor import Tensor
from minimixer.text import capitalized

RIGHT = "Right."
UNTOUCHED = "Your turn: replace the ... in the cell above, run that cell, then run this one again."
NOT_YET = "Not yet: this is not the right answer."


def turn(answer: Any, right: Any, hint: str = "") -> None:
    """Check an answer in a lesson, and print ``Right.``, what is wrong in one sentence, or that nothing is there yet.

    Parameters
    ----------
    answer : number, array, Tensor, text, tuple or function
        ``...``, or a function whose body is ``...``: not begun.
    right : the same, or a function
        What the answer must be.  Numbers that are not whole may differ by 1e-5, relative to the largest; the dtype does
        not matter.  A function takes the answer and returns True, False, or a sentence that says what is wrong.
    hint : str
        Printed after the sentence.

    Raises
    ------
    UsageError
        If ``right`` is neither, or returns something else.
    """
    if _is_untouched(answer):
        print(UNTOUCHED)
        return
    said = _asked(answer, right) if callable(right) else _difference("your answer", answer, right)
    print(printable(" ".join([said, *[f"Hint: {hint}"] * bool(hint)])) if said else RIGHT)


def _is_untouched(answer: Any) -> bool:
    if isinstance(answer, (tuple, list)):
        return bool(answer) and all(map(_is_untouched, answer))
    return answer is ... or (inspect.isfunction(answer) and _is_empty(answer))


def _is_empty(function: Callable[..., Any]) -> bool:
    """Whether a function has no more than a docstring, ``...`` or ``pass``: it does nothing but return a constant."""
    steps = [step for step in dis.get_instructions(function) if step.opname not in ("RESUME", "NOP")]
    return all(step.opname.startswith(("LOAD_CONST", "RETURN_")) and (step.argval is None or step.argval is ...)
               for step in steps)


def _asked(answer: Any, right: Callable[[Any], Any]) -> str:
    """What the lesson's own check says; empty if the answer is right."""
    try:
        said = right(answer)
    except Exception as error:
        file = answer.__code__.co_filename if inspect.isfunction(answer) else None
        raised = describe(error, lambda frame: frame == file)
        return f"Your answer does not work here: {raised.said}{raised.where}.".replace("..", ".")
    if isinstance(said, (bool, np.bool_)):
        return "" if said else NOT_YET
    if isinstance(said, str) and said:
        return said
    raise UsageError(f"the check of this cell returned {said!r}: expected True, False, or a sentence")


def _difference(name: str, answer: Any, right: Any) -> str:
    """How an answer differs from the right one, in one sentence; empty if it does not."""
    start = capitalized(name)
    if answer is ...:
        return f"{start} is still `...`."
    if isinstance(right, (bool, np.bool_)):
        fits = isinstance(answer, (bool, np.bool_))
        return _unlike(start, answer, "True or False") if not fits else "" if answer == right else NOT_YET
    if isinstance(right, str):
        if not isinstance(answer, str):
            return _unlike(start, answer, "a text in quotes")
        return "" if answer.strip().casefold() == right.strip().casefold() else NOT_YET
    if isinstance(right, (tuple, list)):
        return _items(name, answer, right)
    expected = np.asarray(right.data if isinstance(right, Tensor) else right)
    if expected.dtype.kind not in "fiub":
        raise UsageError(f"the right answer of this cell is {kind_of(right)}: expected numbers, a text, True or False, "
                         "a tuple of them, or a function")
    wanted = f"an array of shape {expected.shape}" if expected.ndim else "a number"
    found = _array(answer, expected)
    return _unlike(start, answer, wanted) if found is None else _numbers(name, found, expected)


def _unlike(start: str, answer: Any, wanted: str) -> str:
    what = "None" if answer is None else "a function" if callable(answer) else f"of type {kind_of(answer)}"
    return f"{start} is {what}; expected {wanted}."


def _items(name: str, answer: Any, right: tuple[Any, ...] | list[Any]) -> str:
    start = capitalized(name)
    if isinstance(answer, np.ndarray) and answer.ndim:
        answer = list(answer)
    if not isinstance(answer, (tuple, list)):
        return _unlike(start, answer, f"{len(right)} items, separated by commas")
    if len(answer) != len(right):
        return f"{start} has {len(answer)} items; expected {len(right)}."
    place = "item {} of " + name
    return next(filter(None, (_difference(place.format(i), a, r) for i, (a, r) in
                              enumerate(zip(answer, right, strict=True)))), "")


def _array(answer: Any, expected: Array) -> Array | None:
    """The answer as an array; None if it holds anything but real numbers, or True and False in place of numbers."""
    try:
        found = np.asarray(answer.data if isinstance(answer, Tensor) else answer)
    except (ValueError, TypeError):                 # rows of different lengths
        return None
    kinds = "fiub" if expected.dtype.kind == "b" else "fiu"
    return found if found.dtype.kind in kinds else None


def _numbers(name: str, found: Array, expected: Array) -> str:
    start = capitalized(name)
    if found.shape == () != expected.shape:
        return f"{start} is a single number; expected an array of shape {expected.shape}."
    if expected.shape == () != found.shape:
        return f"{start} is an array of shape {found.shape}; expected a single number."
    if found.shape == expected.shape and _equal(found, expected):
        return ""
    if expected.shape == ():
        return _number(start, float(found), float(expected))
    leaf = compare(name, expected.astype(float), found.astype(float), LOOSE)
    diagnosis = None
    if leaf.verdict != "right":
        task = Task("turn", "turn", 1, name, lambda: [])
        case = Case(name, (), leaf.expected)
        evidence = Evidence(task, Answer(lambda: None), (Outcome(case, (leaf,)),))
        diagnosis = next(filter(None, (test(evidence) for test in (mismatch.shape, mismatch.zeros, mismatch.values))),
                         None)
    if diagnosis is None:
        wrong = ~np.isclose(found, expected, rtol=0, atol=_tolerance(expected), equal_nan=True)
        first = tuple(map(int, np.argwhere(wrong)[0]))
        return f"{wrong.sum()} of the {wrong.size} numbers of {name} are wrong, the first at {list(first)}: " \
               f"{found[first]:.6g}."
    title = capitalized(diagnosis.title)
    if leaf.verdict == "shape" and diagnosis.id != "wrong-shape":
        return f"{title.removesuffix('.')}, with shape {found.shape}; expected {expected.shape}."
    return title


def _number(start: str, found: float, expected: float) -> str:
    if not np.isfinite(found):
        return f"{start} is {found}; expected a finite number." if np.isfinite(expected) else NOT_YET
    if np.isfinite(expected) and np.isclose(found, -expected, rtol=LOOSE, atol=0):
        return f"{start} has the wrong sign."
    if np.isnan(expected):
        return NOT_YET
    return f"{start}, {found:.6g}, is too {'large' if found > expected else 'small'}."


def _tolerance(expected: Array) -> float:
    if expected.dtype.kind in "iub":
        return 0.0
    return LOOSE * float(np.abs(expected[np.isfinite(expected)]).max(initial=0)) or NOISE


def _equal(found: Array, expected: Array) -> bool:
    """Same values: exactly for whole numbers, else relative to the largest; nan equals nan."""
    return bool(np.allclose(found, expected, rtol=0, atol=_tolerance(expected), equal_nan=True))
