"""How an array differs from the expected one: in its shape, or in its values."""

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.evidence import Evidence, Leaf, call, leaves, same
from minimixer.exercises.task import Case
from minimixer.exercises.words import Diagnosis, say

LOOSE = 1e-5        # relative to the largest entry: below this, two arrays count as the same


def shape(evidence: Evidence) -> Diagnosis | None:
    """A wrong shape, and the operation that would fix it."""
    for name in evidence.wrong():
        wrong = [(case, leaf) for case, leaf in evidence.of(name) if leaf.verdict == "shape"]
        if not wrong:
            continue
        for problem, fix in FIXES.items():
            if all(_fixes(fix, leaf) for _, leaf in wrong):
                return say(problem, name=name, **_shapes(wrong[0][1]))
        for case, leaf in wrong:
            if any(same(leaf.found, summed, LOOSE) for summed in _sums(leaf.expected)):
                return say("fixed-axes", name=name, case=case.label, **_shapes(leaf))
        return say("wrong-shape", name=name, **_shapes(wrong[0][1]))
    return None


def _shapes(leaf: Leaf) -> dict[str, tuple[int, ...]]:
    assert leaf.found is not None
    return {"found": leaf.found.shape, "expected": leaf.expected.shape}


def _fixes(fix: Callable[[Array, Array], Any], leaf: Leaf) -> bool:
    try:
        return any(same(candidate, leaf.expected, LOOSE) for candidate in fix(leaf.found, leaf.expected))
    except ValueError:
        return False


def _sums(array: Array) -> list[Array]:
    axes = range(array.ndim)
    return [array.sum(axis) for n in range(1, array.ndim + 1) for axis in combinations(axes, n)]


FIXES: Mapping[str, Callable[[Array, Array], Any]] = {
    "transposed": lambda f, e: [f.swapaxes(*axes) for axes in combinations(range(f.ndim), 2)],
    "extra-axis": lambda f, e: [f.reshape(e.shape)] if f.squeeze().shape == e.squeeze().shape else [],
    "not-summed": lambda f, e: _sums(f),
    "flattened": lambda f, e: [f.reshape(e.shape)],
}


def numbers(leaf: Leaf) -> Array:
    """The student's array; empty if there is none."""
    return np.zeros(0) if leaf.found is None else leaf.found


def values(evidence: Evidence) -> Diagnosis | None:
    """The right shape, but wrong values."""
    name = evidence.wrong()[0]
    leaves_of_name = evidence.of(name)
    wrong = [(case, leaf) for case, leaf in leaves_of_name if leaf.verdict == "WRONG"]
    if not all(np.isfinite(numbers(leaf)).all() for _, leaf in wrong):
        bad = next(case for case, leaf in wrong if not np.isfinite(numbers(leaf)).all())
        return say("not-finite", name=name, case=bad.label)
    if all(not numbers(leaf).any() for _, leaf in leaves_of_name):
        return say("zeros", name=name)
    if (other := _swapped_with(evidence, name)) is not None:
        return say("swapped", name=name, other=other)
    if _ignores_gradient(evidence, name):
        return say("ignores-gy", name=name)
    if (factor := _factor(leaves_of_name)) is not None:
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


def _factor(leaves_of_name: list[tuple[Case, Leaf]]) -> Callable[[str], Diagnosis] | None:
    """A constant factor between found and expected: a number, or one of the sizes."""
    factors = []
    for _, leaf in leaves_of_name:
        e, f = leaf.expected.ravel(), numbers(leaf).ravel()
        scale = float(e @ e)
        if scale == 0 or f.shape != e.shape or not same(f, float(f @ e) / scale * e, LOOSE):
            return None
        factors.append(float(f @ e) / scale)
    for value, label in ((-1.0, "wrong-sign"), (2.0, "factor:2"), (0.5, "factor:1/2")):
        if np.allclose(factors, value, rtol=LOOSE):
            return lambda name: say(label, name=name, size="2", times="too large" if value > 1 else "too small",
                                    where="")
    for label, sizes in _named_sizes([case for case, _ in leaves_of_name]):
        for sign in (1, -1):
            for power, times in ((1, "too large"), (-1, "too small")):
                if np.allclose(factors, sign * sizes**power, rtol=LOOSE):
                    problem = "factor:" + ("-" if sign < 0 else "") + ("1/" if power < 0 else "") + label
                    where = f": {label} is {sizes[0]:.0f} where {leaves_of_name[0][0].label}"
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
