"""What an exception, or a result of another structure, says about an answer."""

import builtins
import re

from minimixer.exercises.evidence import Evidence, Outcome, StructureError
from minimixer.exercises.raised import Raised
from minimixer.exercises.task import Found
from minimixer.exercises.words import Diagnosis, say

CERTAIN = ("name-unknown", "shadowed", "numbers-only", "exits", "memory", "recursion-deep", "axis-lost")


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
    if error.kind == "TypeError" and not error.line and re.search(r"positional argument|unexpected "
                                                                   "keyword", error.text):
        return say("parameters", function=evidence.task.function, error=error.text,
                   count=len(evidence.outcomes[0].case.arguments))
    return None


def named_error(evidence: Evidence) -> Found:
    """An exception that the task knows, by its name or by its name and a part of its text."""
    for outcome in evidence.outcomes:
        if isinstance(outcome.raised, Raised):
            for key, mistake in evidence.task.errors.items():
                kind, _, part = key.partition(":")
                if not (outcome.raised.ours or hasattr(builtins, kind) or kind == "AxisError"):
                    continue            # an answer may raise what it likes, under any name
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
    if error.kind == "AttributeError" and re.search(r"'(int|float|tuple|str|list)' object has no "
                                                     "attribute", error.text):
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
