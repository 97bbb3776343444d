"""Find out why an answer is wrong: a list of cheap tests, of which the first that applies gives the diagnosis.

The tests run from certain to likely: exceptions that say all, modified inputs, results that change from call to call,
the task's known mistakes alone and in pairs, what a special case reveals, and finally any difference in shape or '
        'values.
"""

import difflib
from collections.abc import Callable, Iterator
from itertools import combinations

from minimixer.exercises import exceptions, imitate, mismatch, terms
from minimixer.exercises.evidence import LOOSE, Evidence, Outcome, call, fresh, leaves
from minimixer.exercises.raised import Raised
from minimixer.exercises.task import Case, Found, Mistake
from minimixer.exercises.words import Diagnosis, say


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
    """Whether all results are right, and the checker stopped the answer only for the way it took."""
    stopped = [o for o in evidence.outcomes if o.raised is not None]
    return not evidence.wrong() and all(
        isinstance(o.raised, Raised) and o.raised.ours and (o.raised.kind in evidence.task.credited or o.case.once)
        for o in stopped)


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


def revealed(evidence: Evidence) -> Found:
    """All that is wrong is wrong in cases that were made to show one mistake."""
    wrong = [outcome.case for outcome in evidence.outcomes
             if outcome.raised is not None or any(leaf.verdict != "right" for leaf in outcome.leaves)]
    reveals = {id(case.reveals): case.reveals for case in wrong}
    return next(iter(reveals.values())) if len(reveals) == 1 and len(wrong) < len(evidence.outcomes) else None


def hidden_state(evidence: Evidence) -> Found:
    """Backward uses what forward left: it is right directly after a call of forward with the same inputs."""
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
    right: list[Outcome] = []
    wrong: list[Outcome] = []
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
        return say("only-some", name=name, others=named + (" are" if len(others) > 1 else " is"),
                   rows=evidence.task.rows)
    return say("unknown", name=name, rows=evidence.task.rows, numbers=mismatch.numbers_of(leaf))


def closest(name: str, names: tuple[str, ...]) -> str | None:
    """A name that is almost the wanted one."""
    return next((other for other in names if other.lower().replace("_", "") == name.lower().replace("_", "")),
                next(iter(difflib.get_close_matches(name, names, 1, 0.8)), None))


TESTS: tuple[Callable[[Evidence], Found], ...] = (
    exceptions.structure, exceptions.at_call, writes, second_call, mismatch.dtypes, imitate.known, revealed,
    mismatch.shared, mismatch.permuted, hidden_state, mismatch.zeros, imitate.several_known, imitate.known_usually,
    terms.terms,
    imitate.known_first, exceptions.certain_error, mismatch.fixable, only_where, exceptions.named_error,
    exceptions.stopped, nothing_there, mismatch.shape, mismatch.values, partly)
