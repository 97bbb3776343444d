"""Find out why an answer is wrong: a list of cheap tests, of which the first that applies gives the diagnosis.

The tests run from certain to likely: exceptions, modified inputs, results that change from call to call, the task's
known mistakes, and finally any difference in shape or values.
"""

import re
from collections.abc import Callable

from minimixer.exercises.evidence import Evidence, Outcome, StructureError, call, leaves, same
from minimixer.exercises.mismatch import LOOSE, shape, values
from minimixer.exercises.task import Mistake
from minimixer.exercises.words import Diagnosis, say, where_raised


def name_it(mistake: Mistake) -> Diagnosis:
    """The diagnosis for one of the task's known mistakes."""
    return Diagnosis(mistake.id, mistake.title, mistake.text)


def diagnose(evidence: Evidence) -> Diagnosis:
    """The first diagnosis that applies; ``evidence`` must not be right."""
    for test in TESTS:
        if (found := test(evidence)) is not None:
            return found
    raise AssertionError("the last test always applies")


def stopped(evidence: Evidence) -> Diagnosis | None:
    """The call raised an exception, or its result cannot be compared."""
    for outcome in evidence.outcomes:
        error = outcome.raised
        if error is None:
            continue
        if isinstance(error, StructureError):
            return say(error.problem, **error.words)
        if type(error).__name__ in evidence.task.errors and (
                not isinstance(error, ValueError) or _about_shapes(str(error))):
            return name_it(evidence.task.errors[type(error).__name__])
        kind = ("exits" if isinstance(error, SystemExit) else "memory" if isinstance(error, MemoryError)
                else "axis-lost" if _lost_axis(str(error))
                else "shapes-do-not-fit" if isinstance(error, ValueError) and _about_shapes(str(error))
                else "raises")
        return say(kind, error=f"{type(error).__name__}: {error}"[:300].strip(" ,"),
                   case=outcome.case.label, where=where_raised(error))
    return None


def _about_shapes(message: str) -> bool:
    return any(word in message for word in ("mismatch", "broadcast", "reshape", "aligned", "shape"))


def _lost_axis(message: str) -> bool:
    """Whether NumPy failed to broadcast two shapes that differ by one missing axis."""
    shapes = [tuple(map(int, re.findall(r"\d+", shape))) for shape in re.findall(r"\(([\d, ]*)\)", message)]
    if "broadcast together" not in message or len(shapes) != 2:
        return False
    small, large = sorted(shapes, key=len)
    return any(small == large[:axis] + large[axis + 1:] for axis in range(len(large)))


def nothing_there(evidence: Evidence) -> Diagnosis | None:
    """One of several results is None."""
    for name in evidence.wrong():
        if any(leaf.verdict == "missing" for _, leaf in evidence.of(name)):
            return say("missing", place=repr(name))
    return None


def writes(evidence: Evidence) -> Diagnosis | None:
    """The function modified one of its arguments."""
    positions = {position for outcome in evidence.outcomes for position in outcome.wrote}
    if not positions:
        return None
    code = getattr(evidence.function, "__code__", None)
    names = code.co_varnames[:code.co_argcount] if code else ()
    named = [names[i] if i < len(names) else f"argument {i + 1}" for i in sorted(positions)]
    return say("writes-input", names=" and ".join(named))


def second_call(evidence: Evidence) -> Diagnosis | None:
    """A second, identical call gives another result."""
    again = {outcome.again for outcome in evidence.outcomes} - {"same"}
    return say("accumulates" if again == {"doubled"} else "changes") if again else None


def known(evidence: Evidence) -> Diagnosis | None:
    """A known mistake that reproduces all wrong tensors, or at least the first one."""
    wrong = evidence.wrong()
    for names in (wrong, wrong[:1]):
        for mistake in evidence.task.mistakes:
            if mistake.imitate and all(_as_in(mistake, evidence, outcome, names) for outcome in evidence.outcomes):
                return name_it(mistake)
    return None


def _as_in(mistake: Mistake, evidence: Evidence, outcome: Outcome, names: list[str]) -> bool:
    """Whether the mistake produces the same tensors in this case."""
    assert mistake.imitate is not None
    try:
        imitated = leaves(evidence.task, outcome.case, call(evidence.task, mistake.imitate, outcome.case))
    except Exception:       # the mistake cannot be made in this case
        return False
    expected = {leaf.name: leaf.found for leaf in imitated}
    return all(same(leaf.found, expected[leaf.name], LOOSE) for leaf in outcome.leaves if leaf.name in names)


def partly(evidence: Evidence) -> Diagnosis:
    """Say which inputs or tensors are right, when no other test applies."""
    wrong = evidence.wrong()
    name = wrong[0]
    pairs = evidence.of(name)
    right = [case.label for case, leaf in pairs if leaf.verdict == "right"]
    if right:
        bad = next(case.label for case, leaf in pairs if leaf.verdict != "right")
        return say("some-inputs", name=name, good=right[0], bad=bad)
    others = sorted({leaf.name for outcome in evidence.outcomes for leaf in outcome.leaves} - set(wrong))
    if others:
        return say("only-some", name=name, others=" and ".join(others))
    return say("unknown", name=name)


TESTS: tuple[Callable[[Evidence], Diagnosis | None], ...] = (
    stopped, writes, second_call, known, nothing_there, shape, values, partly)
