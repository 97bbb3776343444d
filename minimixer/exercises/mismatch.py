"""How an array differs from the expected one: in its dtype, its place, its terms, its shape, or its values."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.evidence import LOOSE, NOISE, Evidence, Leaf, call, fresh, leaf_names, leaves, numbers, same
from minimixer.exercises.task import Case
from minimixer.exercises.terms import size_of
from minimixer.exercises.words import Diagnosis, say

ROUGH = 2e-2        # float16 and truncation: below this, only the dtype is wrong
def numbers_of(leaf: Leaf) -> str:
    """The scale of the numbers."""
    found, expected = (float(np.abs(array).max(initial=0)) for array in (numbers(leaf), leaf.expected))
    return f"the largest entry is {found:.4g}, expected {expected:.4g}"


def dtypes(evidence: Evidence) -> Diagnosis | None:
    """The numbers are right, apart from rounding, but some are in an unfitting dtype or in a list."""
    pairs = [(name, leaf) for name in evidence.wrong() for case, leaf in evidence.of(name)
             if leaf.verdict != "right" and case.reveals is None]
    if not pairs or any(not (leaf.error < ROUGH or _rounded(leaf)) for _, leaf in pairs):
        return None
    if all(leaf.verdict == "list" for _, leaf in pairs):
        return say("a-list", name=pairs[0][0])
    for name, leaf in pairs:
        if leaf.verdict == "dtype":
            integer = leaf.expected.dtype.kind in "iu"
            return say("float-index" if integer else "dtype", name=name, found=numbers(leaf).dtype,
                       expected="an integer dtype" if integer else leaf.expected.dtype)
    return None


def _rounded(leaf: Leaf) -> bool:
    found = numbers(leaf)
    return found.dtype.kind in "iub" and any(np.array_equal(found, f(leaf.expected)) for f in (np.trunc, np.rint))


def permuted(evidence: Evidence) -> Diagnosis | None:
    """Right arrays in wrong places, or another array of the exercise in place of the right one."""
    names = [name for name in leaf_names(evidence.task.outputs) if evidence.of(name)]
    wrong = evidence.wrong()
    if not wrong or any(o.raised is not None for o in evidence.outcomes):
        return None
    sources: dict[str, str] = {}
    for name in wrong:
        source = next((other for other in names if other != name and all(
            same(found.found, right.expected, LOOSE)
            for (_, found), (_, right) in zip(evidence.of(name), evidence.of(other), strict=True))), None)
        if source is None:
            return _another(evidence, wrong[0])
        sources[name] = source
    if sorted(sources.values()) == sorted(sources):
        if len(sources) == 2:
            return say("swapped", name=wrong[0], other=sources[wrong[0]])
        order = [sources.get(name, name) for name in names]
        return say("permuted", name=sources[wrong[0]], other=wrong[0], found=", ".join(order))
    return say("is-other", name=wrong[0], other=sources[wrong[0]])


def _another(evidence: Evidence, name: str) -> Diagnosis | None:
    """The first wrong tensor is one of the arguments, or another expected tensor."""
    pairs = evidence.of(name)
    if any(same(leaf.found, leaf.expected, LOOSE) for _, leaf in pairs):
        return None
    for other in leaf_names(evidence.task.outputs):
        others = evidence.of(other)
        if other != name and len(others) == len(pairs) and all(
                same(a.found, b.expected, LOOSE) for (_, a), (_, b) in zip(pairs, others, strict=True)):
            return say("is-other", name=name, other=other)
    for position, parameter in enumerate(evidence.answer.parameters):
        if all(position < len(case.arguments) and isinstance(case.arguments[position], np.ndarray)
               and same(leaf.found, case.arguments[position], LOOSE) for case, leaf in pairs):
            return say("is-other", name=name, other=f"the argument {parameter}, unchanged")
    return None


def shared(evidence: Evidence) -> Diagnosis | None:
    """A wrong tensor is the same array as another result."""
    wrong = evidence.wrong()
    for outcome in evidence.outcomes:
        for one, other in outcome.shared:
            if one in wrong or other in wrong:
                return say("shared", name=one, other=other)
    return None


def fixable(evidence: Evidence) -> Diagnosis | None:
    """A wrong shape that one operation would make right, wherever it is wrong."""
    if any(outcome.raised is not None for outcome in evidence.outcomes):
        return None
    found = shape(evidence)
    return found if found is not None and found.id != "wrong-shape" else None


def shape(evidence: Evidence) -> Diagnosis | None:
    """A wrong shape, and the operation that would fix it."""
    for name in evidence.wrong():
        pairs = evidence.of(name)
        wrong = [(case, leaf) for case, leaf in pairs if leaf.verdict == "shape" or (
            leaf.found is not None and leaf.found.shape != leaf.expected.shape)]
        if not wrong:
            continue
        for problem, fix in FIXES.items():
            if all(_fixes(fix, leaf) for _, leaf in wrong):
                return say(problem, name=name, **_shapes(wrong[0][1]))
        if all(leaf.found is not None and leaf.found.shape == () and any(
                same(leaf.found, function(leaf.expected), LOOSE) for function in (np.sum, np.mean)) for _,
                leaf in wrong):
            return say("one-number", name=name, **_shapes(wrong[0][1]))
        for problem, reduced in (("fixed-axes", np.sum), ("averaged", np.mean), ("averaged", np.max)):
            for case, leaf in wrong:
                if any(same(leaf.found, one, LOOSE) for one in _reduced(leaf.expected, reduced)):
                    return say(problem, name=name, case=case.label, some=" for some inputs" * (len(wrong) < len(pairs)),
                               **_shapes(leaf))
        return say("wrong-shape", name=name, case=wrong[0][0].label, **_shapes(wrong[0][1]))
    return None


def _shapes(leaf: Leaf) -> dict[str, tuple[int, ...]]:
    return {"found": numbers(leaf).shape, "expected": leaf.expected.shape}


def _fixes(fix: Callable[[Array, Array], Any], leaf: Leaf) -> bool:
    try:
        return any(same(candidate, leaf.expected, LOOSE) for candidate in fix(numbers(leaf), leaf.expected))
    except ValueError:
        return False


def _reduced(array: Array, function: Callable[..., Any] = np.sum) -> list[Array]:
    axes = range(array.ndim)
    return [function(array, axis=axis) for n in range(1, array.ndim + 1) for axis in combinations(axes, n)]


def _same_but_ones(f: Array, e: Array) -> list[Array]:
    return [f.reshape(e.shape)] if [n for n in f.shape if n != 1] == [n for n in e.shape if n != 1] else []


FIXES: Mapping[str, Callable[[Array, Array], Any]] = {
    "axis-of-1-lost": lambda f, e: _same_but_ones(f, e) if f.ndim < e.ndim else [],
    "extra-axis": lambda f, e: _same_but_ones(f, e) if f.ndim >= e.ndim else [],
    "transposed": lambda f, e: [f.swapaxes(*axes) for axes in combinations(range(f.ndim), 2)],
    "not-summed": lambda f, e: [g.reshape(e.shape) for g in _reduced(f) if g.size == e.size],
    "flattened": lambda f, e: [f.reshape(e.shape)],
}


def zeros(evidence: Evidence) -> Diagnosis | None:
    """A tensor is zero everywhere."""
    for name in evidence.wrong():
        pairs = evidence.of(name)
        if all(leaf.found is not None and not leaf.found.any() for _, leaf in pairs) and any(
                leaf.expected.size > 1 for _, leaf in pairs):
            return say("zeros", name=name)
    return None


def values(evidence: Evidence) -> Diagnosis | None:
    """The right shape, but wrong values."""
    name = evidence.wrong()[0]
    leaves_of_name = evidence.of(name)
    wrong = [(case, leaf) for case, leaf in leaves_of_name if leaf.verdict != "right"]
    if not all(np.isfinite(numbers(leaf)).all() for _, leaf in wrong):
        bad = next(case for case, leaf in wrong if not np.isfinite(numbers(leaf)).all())
        return say("not-finite", name=name, case=bad.label)
    if _ignores_gradient(evidence, name):
        return say("ignores-gy", name=name)
    if (factor := _factor(leaves_of_name)) is not None:
        return factor(name)
    if all(case.transposed for case, _ in wrong) and len(wrong) < len(leaves_of_name):
        return say("memory-order", name=name)
    offsets = [numbers(leaf) - leaf.expected for _, leaf in leaves_of_name]
    flat = np.concatenate([np.ravel(offset) for offset in offsets])
    if flat.size > 3 and np.allclose(flat, flat[0], rtol=1e-5):
        return say("shifted", name=name, offset=f"{flat[0]:.4g}")
    if all(same(np.sort(numbers(leaf).ravel()), np.sort(leaf.expected.ravel()), LOOSE) for _, leaf in wrong):
        return say("misplaced", name=name)
    if all(leaf.verdict == "dtype" for _, leaf in wrong):
        return say("dtype", name=name, found=numbers(wrong[0][1]).dtype, expected=wrong[0][1].expected.dtype)
    for digits in range(1, 9):
        if all(np.allclose(numbers(leaf), np.round(leaf.expected, digits), rtol=0, atol=1e-12) for _, leaf in wrong):
            return say("rounded", name=name, digits=digits)
    if all(leaf.error < 1e-3 for _, leaf in wrong) and len(wrong) == len(leaves_of_name):
        return say("low-precision", name=name)
    if name.startswith("saved"):
        return say("saved", name=name.removeprefix("saved").strip())
    return None


def _ignores_gradient(evidence: Evidence, name: str) -> bool:
    if not evidence.task.has_gradient:
        return False
    case, leaf = evidence.of(name)[0]
    other = replace(case, arguments=(3 * case.arguments[0], *fresh(case.arguments[1:])))
    try:
        found = leaves(evidence.task, other, call(evidence.task, evidence.answer.function, other))
    except Exception:
        return False
    return same(next(one.found for one in found if one.name == name), leaf.found, LOOSE)


def _factor(leaves_of_name: list[tuple[Case, Leaf]]) -> Callable[[str], Diagnosis] | None:
    """A constant factor between found and expected: a number, or one of the sizes."""
    factors, cases = [], []
    for case, leaf in leaves_of_name:
        e, f = leaf.expected.ravel(), numbers(leaf).ravel()
        scale = float(e @ e)
        if scale < NOISE**2 and leaf.verdict == "right":
            continue            # zero has every factor
        if scale == 0 or f.shape != e.shape or not same(f, float(f @ e) / scale * e, LOOSE):
            return None
        factors.append(float(f @ e) / scale)
        cases.append(case)
    if np.allclose(factors, 1.0, rtol=1e-3):
        return None
    for value, label in ((-1.0, "wrong-sign"), (2.0, "factor:2"), (0.5, "factor:1/2")):
        if np.allclose(factors, value, rtol=LOOSE):
            return lambda name: say(label, name=name, size="2", times="too large" if value > 1 else "too small",
                                    where="")
    power = size_of(np.array(factors), cases)
    if power is not None and not np.allclose(factors, factors[0], rtol=LOOSE):
        small = "1/" in power
        size = power.replace("1/", "").removeprefix("-")
        where = f": {cases[0].label}"
        return lambda name: say(f"factor:{power}", name=name, size=size, times="too small" if small else "too large",
                                where=where)
    if np.allclose(factors, factors[0], rtol=LOOSE):
        return lambda name: say("constant", name=name, factor=f"{factors[0]:.4g}")
    return None
