"""Find out why an answer is wrong: a list of cheap tests, of which the first that applies gives the diagnosis.

The tests run from certain to likely: exceptions that say all, modified inputs, results that change from call to call,
the task's known mistakes alone and in pairs, what a special case reveals, and finally any difference in shape or values.
"""

import builtins
import difflib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

from minimixer.exercises import mismatch
from minimixer.exercises.evidence import (
    Evidence,
    Leaf,
    Outcome,
    StructureError,
    call,
    fresh,
    leaves,
    same,
    told,
)
from minimixer.exercises.mismatch import LOOSE
from minimixer.exercises.raised import Raised
from minimixer.exercises.task import Case, Function, Mistake, Task
from minimixer.exercises.words import Diagnosis, say

MOST_GROUPS = 60_000
Found = Diagnosis | Mistake | None


def diagnose(evidence: Evidence) -> tuple[Diagnosis, float]:
    """The first diagnosis that applies, and the share of the points; ``evidence`` must not be right."""
    for test in TESTS:
        found = test(evidence)
        if isinstance(found, Mistake):
            return Diagnosis(found.id, found.title, found.text), found.credit if _results_right(evidence) else 0.0
        if found is not None:
            return found, 0.0
    raise AssertionError("the last test always applies")


def _results_right(evidence: Evidence) -> bool:
    """Whether everything that was returned is right."""
    return not evidence.wrong()


def structure(evidence: Evidence) -> Found:
    """The result's structure is wrong."""
    for outcome in evidence.outcomes:
        error = outcome.raised
        if not isinstance(error, StructureError):
            continue
        found = str(error.words.get("found", ""))
        if error.problem == "wrong-count" and error.words["place"] != "the result":
            return say("no-tuple" if found.startswith("one ") else "wrong-items", **error.words)
        special = {"generator": "generator", "ellipsis": "ellipsis", "one generator": "generator",
                   "one ellipsis": "ellipsis", "one dict": "a-dict"}.get(found, error.problem)
        return say(special, **error.words)
    return None


def at_call(evidence: Evidence) -> Found:
    """The function cannot be called as the exercise says."""
    error = evidence.outcomes[0].raised
    if not isinstance(error, Raised):
        return None
    own = evidence.answer.parameters
    if own[:1] in (("self",), ("cls",)):
        return say("no-self", function=evidence.task.function)
    if error.kind == "TypeError" and not error.line and re.search(r"positional argument|unexpected keyword", error.text):
        return say("parameters", function=evidence.task.function, error=error.text,
                   count=len(evidence.outcomes[0].case.arguments))
    return None


def named_error(evidence: Evidence) -> Found:
    """An exception that the task knows, by its name or by its name and a part of its text."""
    for outcome in evidence.outcomes:
        if isinstance(outcome.raised, Raised):
            for key, mistake in evidence.task.errors.items():
                kind, _, part = key.partition(":")
                if kind in outcome.raised.kinds and part in outcome.raised.text:
                    return mistake
    return None


def certain_error(evidence: Evidence) -> Found:
    """An exception that says what is wrong, whatever the other cases say."""
    raised = [outcome for outcome in evidence.outcomes if isinstance(outcome.raised, Raised)]
    if not raised:
        return None
    ours = not hasattr(builtins, raised[0].raised.kind)             # type: ignore[union-attr]
    if (ours or len(raised) == len(evidence.outcomes)) and (found := named_error(evidence)):
        return found
    found = stopped(evidence)
    return (named_error(evidence) or found) if isinstance(found, Diagnosis) and found.id in CERTAIN else None


def stopped(evidence: Evidence) -> Found:
    """The call raised an exception."""
    for outcome in evidence.outcomes:
        if isinstance(outcome.raised, Raised):
            return _explain(outcome.raised, outcome, evidence)
    return None


def _explain(error: Raised, outcome: Outcome, evidence: Evidence) -> Diagnosis:
    words = {"error": error.said, "case": outcome.case.label, "where": error.where, "kind": error.kind}
    if "NameError" in error.kinds and (name := re.search(r"name '(\w+)'", error.text)):
        return say("name-unknown", name=name[1], **words)
    if error.kind == "AttributeError" and re.search(r"'(int|float|tuple|str|list)' object has no attribute", error.text):
        return say("shadowed", **words)
    if "NotImplementedError" in error.kinds:
        return say("some-not-done", **words)
    if error.kind == "TypeError" and re.search(r"only .*(arrays?|length-1).* can be converted|must be real number",
                                               error.text):
        return say("numbers-only", **words)
    if error.kind == "ValueError" and "truth value of an array" in error.text:
        return say("numbers-only", **words)
    for kind, problem in (("SystemExit", "exits"), ("MemoryError", "memory"), ("RecursionError", "recursion-deep")):
        if kind in error.kinds:
            return say(problem, **words)
    if _lost_axis(error.text):
        return say("axis-lost", **words)
    if "AxisError" in error.kinds:
        return say("axis-not-there", **words)
    if "ValueError" in error.kinds and "cannot reshape" in error.text:
        return say("does-not-reshape", **words)
    about_shapes = any(word in error.text for word in ("mismatch", "broadcast", "reshape", "aligned", "shape", "axis"))
    return say("shapes-do-not-fit" if "ValueError" in error.kinds and about_shapes else "raises", **words)


def _lost_axis(message: str) -> bool:
    """Whether NumPy failed to broadcast two shapes that differ by one missing axis."""
    shapes = [tuple(map(int, re.findall(r"\d+", shape))) for shape in re.findall(r"\(([\d, ]*)\)", message)]
    if "broadcast together" not in message or len(shapes) != 2:
        return False
    small, large = sorted(shapes, key=len)
    return any(small == large[:axis] + large[axis + 1:] for axis in range(len(large)))


def nothing_there(evidence: Evidence) -> Found:
    """One of several results is None."""
    for name in evidence.wrong():
        if any(leaf.verdict == "missing" for _, leaf in evidence.of(name)):
            return say("missing", place=repr(name))
    return None


def writes(evidence: Evidence) -> Found:
    """The function modified one of its arguments."""
    positions = {position for outcome in evidence.outcomes for position in outcome.wrote}
    if not positions:
        return None
    names = evidence.answer.parameters
    named = [names[i] if i < len(names) else f"argument {i + 1}" for i in sorted(positions)]
    slightly = max(outcome.moved for outcome in evidence.outcomes) < LOOSE
    return say("not-restored" if slightly else "writes-input", names=" and ".join(named))


def second_call(evidence: Evidence) -> Found:
    """A second, identical call gives another result."""
    again = {outcome.again for outcome in evidence.outcomes} - {"same"}
    return say("accumulates" if "doubled" in again else "changes") if again else None


def known(evidence: Evidence) -> Found:
    """A known mistake that reproduces everything."""
    return _known(evidence, evidence.wrong())


def known_first(evidence: Evidence) -> Found:
    """A known mistake that reproduces the first wrong tensor, where others are wrong for other reasons."""
    wrong = evidence.wrong()
    return _known(evidence, wrong[:1]) if len(wrong) > 1 else None


def _known(evidence: Evidence, names: list[str]) -> Found:
    for mistake in evidence.task.mistakes:
        function = imitation(evidence.task, (mistake,))
        if function and all(_as_in(function, evidence, outcome, names) for outcome in evidence.outcomes):
            return mistake
    return None


def several_known(evidence: Evidence) -> Found:
    """Two or three known mistakes at once."""
    wrong = evidence.wrong()
    for count in (2, 3):
        for mistakes in groups(evidence.task, count):
            function = imitation(evidence.task, mistakes)
            if function and all(_as_in(function, evidence, outcome, wrong) for outcome in evidence.outcomes):
                titles = [mistake.title for mistake in mistakes]
                texts = [mistakes[0].text, *(f"And: {mistake.title} {mistake.text}" for mistake in mistakes[1:])]
                return Diagnosis("+".join(mistake.id for mistake in mistakes),
                                 f"There are {'two' if count == 2 else 'three'} mistakes. {titles[0]}", " ".join(texts))
    return None


@cache
def groups(task: Task, count: int) -> list[tuple[Mistake, ...]]:
    """Groups of mistakes that change different parts; none if there are too many to try."""
    changes = [mistake for mistake in task.mistakes if mistake.change is not None]
    if math.comb(len(changes), count) > MOST_GROUPS:
        return []
    return [group for group in combinations(changes, count)
            if all(not (a.change.keys() & b.change.keys()) for a, b in combinations(group, 2))]    # type: ignore


def known_usually(evidence: Evidence) -> Found:
    """A known mistake that reproduces all but the special cases."""
    return _known(replace(evidence, outcomes=tuple(o for o in evidence.outcomes if o.case.reveals is None)),
                  evidence.wrong())


@cache
def imitation(task: Task, mistakes: tuple[Mistake, ...]) -> Function | None:
    """A function that makes these mistakes."""
    if len(mistakes) == 1 and mistakes[0].imitate is not None:
        return mistakes[0].imitate
    if task.vary is None or any(mistake.change is None for mistake in mistakes):
        return None
    return task.vary(**{key: value for mistake in mistakes for key, value in (mistake.change or {}).items()})


def _as_in(function: Function, evidence: Evidence, outcome: Outcome, names: list[str]) -> bool:
    """Whether the mistake gives the same tensors in this case, also those that are right, or the same exception."""
    imitated = _imitated(function, evidence.task, outcome.case)
    if isinstance(imitated, Raised):
        return isinstance(outcome.raised, Raised) and outcome.raised.kind == imitated.kind and (
            outcome.raised.text == imitated.text)
    if imitated is None or outcome.raised is not None:
        return False
    others = set(evidence.wrong()) - set(names)
    made = {leaf.name: leaf.found for leaf in imitated if leaf.found is not None}
    return all(same(leaf.found, made[leaf.name], LOOSE if leaf.verdict == "right" else _near(leaf.error))
               for leaf in outcome.leaves if leaf.name in made and leaf.name not in others)


def _near(error: float) -> float:
    """How close an imitation must come, so that it explains the error and not only the right part of the numbers."""
    return max(1e-12, min(LOOSE, 0.05 * error))


@cache
def _imitated(function: Function, task: Task, case: "_ById") -> tuple[Leaf, ...] | Raised | None:
    try:
        given = Case(case.label, fresh(case.arguments), case.expected)
        return leaves(task, case, call(task, function, given))
    except StructureError:
        return None
    except Exception as error:
        return told(error)


_ById = Any


def revealed(evidence: Evidence) -> Found:
    """All that is wrong is wrong in cases that were made to show one mistake."""
    wrong = [outcome.case for outcome in evidence.outcomes
             if outcome.raised is not None or any(leaf.verdict != "right" for leaf in outcome.leaves)]
    reveals = {id(case.reveals): case.reveals for case in wrong}
    return next(iter(reveals.values())) if len(reveals) == 1 and len(wrong) < len(evidence.outcomes) else None


def hidden_state(evidence: Evidence) -> Found:
    """backward uses what forward left: it is right directly after a call of forward with the same inputs."""
    forward = evidence.others.get("forward")
    if evidence.task.name != "backward" or forward is None:
        return None
    for outcome in evidence.outcomes:
        case = outcome.case
        if case.before is None:
            return None
        try:
            forward.function(*fresh(case.before))
            again = leaves(evidence.task, case, call(evidence.task, evidence.answer.function, case))
        except Exception:
            return None
        if any(leaf.verdict != "right" for leaf in again):
            return None
    return say("hidden-state")


def only_where(evidence: Evidence) -> Found:
    """Right for inputs with one number of axes, or with one relation between their sizes, and wrong for all others."""
    right, wrong = [], []
    for outcome in evidence.outcomes:
        fine = outcome.raised is None and all(leaf.verdict == "right" for leaf in outcome.leaves)
        (right if fine else wrong).append(outcome)
    if not right:
        return None
    name = (evidence.wrong() or ["the result"])[0]
    words = {"name": name, "good": right[0].case.label, "bad": wrong[0].case.label}
    if all(outcome.case.transposed for outcome in wrong) and any(not o.case.transposed for o in right):
        return None
    if evidence.task.axes is not None:
        good, bad = ({evidence.task.axes(outcome.case) for outcome in group} for group in (right, wrong))
        if not good & bad:
            error = wrong[0].raised
            said = error.said + error.where if isinstance(error, Raised) else f"{name} is wrong for {words['bad']}"
            return say("only-axes", good=" or ".join(map(str, sorted(good))), said=said,
                       axes="axis" if good == {1} else "axes")
    fits = [relation for relation, holds in _relations([outcome.case for outcome in evidence.outcomes])
            if all(holds(o.case) for o in right) and not any(holds(o.case) for o in wrong)]
    return say("only-where", relation=" or ".join(fits[:2]), **words) if fits else None


def _relations(cases: list[Case]) -> Iterator[tuple[str, Callable[[Case], bool]]]:
    names = list(cases[0].sizes)
    for one, other in combinations(names, 2):
        yield f"{one} = {other}", lambda case, a=one, b=other: (                        # type: ignore[misc]
            case.sizes.get(a) == case.sizes.get(b))
    for name in names:
        for value in sorted({case.sizes.get(name, 0) for case in cases}):
            yield f"{name} is {value}", lambda case, n=name, v=value: case.sizes.get(n) == v     # type: ignore[misc]
    for name in names:
        yield f"{name} is not 1", lambda case, n=name: case.sizes.get(n) != 1           # type: ignore[misc]


def partly(evidence: Evidence) -> Diagnosis:
    """Say which inputs or tensors are right, when no other test applies."""
    wrong = evidence.wrong()
    name = wrong[0]
    pairs = evidence.of(name)
    right = [case.label for case, leaf in pairs if leaf.verdict == "right"]
    bad, leaf = next((case, leaf) for case, leaf in pairs if leaf.verdict != "right")
    if right:
        return say("some-inputs", name=name, good=right[0], bad=bad.label)
    others = sorted({leaf.name for outcome in evidence.outcomes for leaf in outcome.leaves} - set(wrong))
    if others:
        named = " and ".join(others) if len(others) < 4 else f"{others[0]} and {len(others) - 1} others"
        return say("only-some", name=name, others=named + (" are" if len(others) > 1 else " is"), rows=evidence.task.rows)
    return say("unknown", name=name, rows=evidence.task.rows, numbers=mismatch.numbers_of(leaf))


def closest(name: str, names: tuple[str, ...]) -> str | None:
    """A name that is almost the wanted one."""
    return next((other for other in names if other.lower().replace("_", "") == name.lower().replace("_", "")),
                next(iter(difflib.get_close_matches(name, names, 1, 0.8)), None))


CERTAIN = ("name-unknown", "shadowed", "numbers-only", "exits", "memory", "recursion-deep", "axis-lost")
TESTS: tuple[Callable[[Evidence], Found], ...] = (
    structure, at_call, writes, second_call, mismatch.dtypes, known, revealed, mismatch.shared, mismatch.permuted,
    hidden_state, mismatch.zeros, several_known, known_usually,
    mismatch.terms, known_first, certain_error, mismatch.fixable, only_where, named_error, stopped,
    nothing_there, mismatch.shape, mismatch.values, partly)
