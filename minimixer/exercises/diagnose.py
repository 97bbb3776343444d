"""Why is it wrong?  A list of cheap tests on what was found against what was expected; the first that fits speaks.

The order goes from certain to likely: what stopped the call, what came back, what was written to, the mistakes that the
task knows, and then what can be said of any two arrays.
"""

import re
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.evidence import Evidence, Leaf, Outcome, StructureError, call, leaves, same
from minimixer.exercises.task import Case, Mistake
from minimixer.exercises.words import Diagnosis, say, where_raised

LOOSE = 1e-5        # of the largest entry: two arrays are meant to be the same


def name_it(mistake: Mistake) -> Diagnosis:
    """The diagnosis of a mistake that the task knows."""
    return Diagnosis(mistake.id, mistake.title, mistake.text)


def diagnose(evidence: Evidence) -> Diagnosis:
    """The first diagnosis that fits; ``evidence`` must not be right."""
    for test in TESTS:
        if (found := test(evidence)) is not None:
            return found
    raise AssertionError("the last test always speaks")


def stopped(evidence: Evidence) -> Diagnosis | None:
    """An exception, or a result that cannot be compared."""
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
    """Whether NumPy could not broadcast two shapes of which one is the other without one of its axes."""
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
    """An argument was changed in place."""
    positions = {position for outcome in evidence.outcomes for position in outcome.wrote}
    if not positions:
        return None
    code = getattr(evidence.function, "__code__", None)
    names = code.co_varnames[:code.co_argcount] if code else ()
    named = [names[i] if i < len(names) else f"argument {i + 1}" for i in sorted(positions)]
    return say("writes-input", names=" and ".join(named))


def second_call(evidence: Evidence) -> Diagnosis | None:
    """The same call gives something else the second time."""
    again = {outcome.again for outcome in evidence.outcomes} - {"same"}
    return say("accumulates" if again == {"doubled"} else "changes") if again else None


def known(evidence: Evidence) -> Diagnosis | None:
    """A mistake that the task can imitate: one that explains all wrong tensors, or else the first of them."""
    wrong = evidence.wrong()
    for names in (wrong, wrong[:1]):
        for mistake in evidence.task.mistakes:
            if mistake.imitate and all(_as_in(mistake, evidence, outcome, names) for outcome in evidence.outcomes):
                return name_it(mistake)
    return None


def _as_in(mistake: Mistake, evidence: Evidence, outcome: Outcome, names: list[str]) -> bool:
    """Whether the mistake gives the same tensors in this case."""
    assert mistake.imitate is not None
    try:
        imitated = leaves(evidence.task, outcome.case, call(evidence.task, mistake.imitate, outcome.case))
    except Exception:       # the mistake cannot be made in this case
        return False
    expected = {leaf.name: leaf.found for leaf in imitated}
    return all(same(leaf.found, expected[leaf.name], LOOSE) for leaf in outcome.leaves if leaf.name in names)


def shape(evidence: Evidence) -> Diagnosis | None:
    """A wrong shape, and what would mend it."""
    for name in evidence.wrong():
        pairs = [(case, leaf) for case, leaf in evidence.of(name) if leaf.verdict == "shape"]
        if not pairs:
            continue
        for problem, mend in MENDS.items():
            if all(_mended(mend, leaf) for _, leaf in pairs):
                return say(problem, name=name, **_shapes(pairs[0][1]))
        for case, leaf in pairs:
            if any(same(leaf.found, summed, LOOSE) for summed in _sums(leaf.expected)):
                return say("fixed-axes", name=name, case=case.label, **_shapes(leaf))
        return say("wrong-shape", name=name, **_shapes(pairs[0][1]))
    return None


def _shapes(leaf: Leaf) -> dict[str, tuple[int, ...]]:
    assert leaf.found is not None
    return {"found": leaf.found.shape, "expected": leaf.expected.shape}


def _mended(mend: Callable[[Array, Array], Any], leaf: Leaf) -> bool:
    try:
        return any(same(candidate, leaf.expected, LOOSE) for candidate in mend(leaf.found, leaf.expected))
    except ValueError:
        return False


def _sums(array: Array) -> list[Array]:
    axes = range(array.ndim)
    return [array.sum(axis) for n in range(1, array.ndim + 1) for axis in combinations(axes, n)]


MENDS: Mapping[str, Callable[[Array, Array], Any]] = {
    "transposed": lambda f, e: [f.swapaxes(*pair) for pair in combinations(range(f.ndim), 2)],
    "extra-axis": lambda f, e: [f.reshape(e.shape)] if f.squeeze().shape == e.squeeze().shape else [],
    "not-summed": lambda f, e: _sums(f),
    "flattened": lambda f, e: [f.reshape(e.shape)],
}


def numbers(leaf: Leaf) -> Array:
    """What was found, empty where there is nothing."""
    return np.zeros(0) if leaf.found is None else leaf.found


def values(evidence: Evidence) -> Diagnosis | None:
    """What can be said of two arrays of one shape."""
    name = evidence.wrong()[0]
    pairs = evidence.of(name)
    wrong = [(case, leaf) for case, leaf in pairs if leaf.verdict == "WRONG"]
    if not all(np.isfinite(numbers(leaf)).all() for _, leaf in wrong):
        bad = next(case for case, leaf in wrong if not np.isfinite(numbers(leaf)).all())
        return say("not-finite", name=name, case=bad.label)
    if all(not numbers(leaf).any() for _, leaf in pairs):
        return say("zeros", name=name)
    if (other := _swapped_with(evidence, name)) is not None:
        return say("swapped", name=name, other=other)
    if _ignores_gradient(evidence, name):
        return say("ignores-gy", name=name)
    if (factor := _factor(pairs)) is not None:
        return factor(name)
    if all(case.transposed for case, _ in wrong):
        return say("memory-order", name=name)
    if all(same(np.sort(numbers(leaf).ravel()), np.sort(leaf.expected.ravel()), LOOSE) for _, leaf in wrong):
        return say("misplaced", name=name)
    if all(leaf.error < 1e-3 for _, leaf in wrong):
        return say("low-precision", name=name)
    if name.startswith("saved"):
        return say("saved", name=name.removeprefix("saved").strip())
    return None


def _swapped_with(evidence: Evidence, name: str) -> str | None:
    for other in evidence.wrong():
        pairs = zip(evidence.of(name), evidence.of(other), strict=True)
        if other != name and all(same(a.found, b.expected, LOOSE) and same(b.found, a.expected, LOOSE)
                                 for (_, a), (_, b) in pairs):
            return other
    return None


def _ignores_gradient(evidence: Evidence, name: str) -> bool:
    if not evidence.task.has_gradient:
        return False
    case, leaf = evidence.of(name)[0]
    other = Case(case.label, (3 * case.arguments[0], *case.arguments[1:]), case.expected, case.sizes)
    try:
        found = leaves(evidence.task, other, call(evidence.task, evidence.function, other))
    except Exception:
        return False
    return same(next(one.found for one in found if one.name == name), leaf.found, LOOSE)


def _factor(pairs: list[tuple[Case, Leaf]]) -> Callable[[str], Diagnosis] | None:
    """A constant factor, by its name: a number, or a size that fits in every case."""
    factors = []
    for _, leaf in pairs:
        e, f = leaf.expected.ravel(), numbers(leaf).ravel()
        scale = float(e @ e)
        if scale == 0 or f.shape != e.shape or not same(f, float(f @ e) / scale * e, LOOSE):
            return None
        factors.append(float(f @ e) / scale)
    for value, label in ((-1.0, "wrong-sign"), (2.0, "factor:2"), (0.5, "factor:1/2")):
        if np.allclose(factors, value, rtol=LOOSE):
            return lambda name: say(label, name=name, size="2", times="too large" if value > 1 else "too small",
                                    where="")
    for label, sizes in _named_sizes([case for case, _ in pairs]):
        for sign in (1, -1):
            for power, times in ((1, "too large"), (-1, "too small")):
                if np.allclose(factors, sign * sizes**power, rtol=LOOSE):
                    problem = "factor:" + ("-" if sign < 0 else "") + ("1/" if power < 0 else "") + label
                    where = f": {label} is {sizes[0]:.0f} where {pairs[0][0].label}"
                    return lambda name: say(problem, name=name, size=label, times=times, where=where)
    if np.allclose(factors, factors[0], rtol=LOOSE):
        return lambda name: say("constant", name=name, factor=f"{factors[0]:.4g}")
    return None


def _named_sizes(cases: list[Case]) -> list[tuple[str, Array]]:
    names = set.intersection(*(set(case.sizes) for case in cases))
    single = [name for name in cases[0].sizes if name in names]
    columns = {name: np.array([case.sizes[name] for case in cases], float) for name in single}
    columns |= {f"{a}*{b}": columns[a] * columns[b] for a, b in combinations(single, 2)}
    return list(columns.items())


def partly(evidence: Evidence) -> Diagnosis:
    """Which part is right, where nothing better can be said."""
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
