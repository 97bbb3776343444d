"""Known mistakes, alone and in groups: which of them gives exactly what the answer gives."""

import math
from dataclasses import replace
from functools import cache
from itertools import combinations

from minimixer.exercises.evidence import (
    LOOSE,
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
from minimixer.exercises.raised import Raised
from minimixer.exercises.task import Case, Found, Function, Mistake, Task
from minimixer.exercises.words import Diagnosis

MOST_GROUPS = 60_000



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
def _imitated(function: Function, task: Task, case: Case) -> tuple[Leaf, ...] | Raised | None:
    try:
        given = Case(case.label, fresh(case.arguments), case.expected)
        return leaves(task, case, call(task, function, given))
    except StructureError:
        return None
    except Exception as error:
        return told(error)
