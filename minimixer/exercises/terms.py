"""A tensor as a sum of terms: which of them is missing, or has a wrong factor."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.evidence import LOOSE, Evidence, numbers, same
from minimixer.exercises.task import Case
from minimixer.exercises.words import Diagnosis, say

SIZES_AND_POWERS = ((1, "{}"), (-1, "1/{}"), (0.5, "sqrt({})"), (-0.5, "1/sqrt({})"), (2, "{}**2"), (-2, "1/{}**2"))

def terms(evidence: Evidence) -> Diagnosis | None:
    """A tensor is a sum of the right terms with wrong factors."""
    wrong = evidence.wrong()
    for name, mistakes, made in evidence.task.terms:
        if name != next(iter(wrong), None) or any(o.raised is not None for o in evidence.outcomes):
            continue
        pairs = evidence.of(name)
        if any(leaf.found is None or leaf.found.shape != leaf.expected.shape or not np.isfinite(leaf.found).all()
               for _, leaf in pairs):
            return None
        columns = [{key: np.ravel(value) for key, value in made(case).items()} for case, _ in pairs]
        found = _factors(columns, [np.ravel(numbers(leaf)) for _, leaf in pairs],
                         [c for c, _ in pairs])
        if found is not None and (len(set(map(str, found.values()))) > 1 or mistakes):       # else it is one factor
            said = [text for key, factor in found.items() if (text := _said(key, factor))]
            if said or mistakes:
                titles = [*(mistake.title for mistake in mistakes), *said]
                title = titles[0] if len(titles) == 1 else f"There are {len(titles)} mistakes. {titles[0]}"
                return say("terms", title=title, name=name, terms=", ".join(found), found=" ".join(titles[1:]))
    return None


def _factors(columns: Sequence[Mapping[str, Array]], found: Sequence[Array],
             cases: Sequence[Case]) -> dict[str, float | str] | None:
    """The factor of each term: a number, or the name of a size; None if the array is no sum of these terms."""
    keys = list(columns[0])
    matrix = np.column_stack([np.concatenate([column[key] for column in columns]) for key in keys])
    values = np.concatenate(found)
    factors, *_ = np.linalg.lstsq(matrix, values, rcond=None)
    if same(matrix @ factors, values, LOOSE):
        return dict(zip(keys, map(float, factors), strict=True))
    each = []
    for column, value in zip(columns, found, strict=True):
        small = np.column_stack([column[key] for key in keys])
        if np.linalg.matrix_rank(small) == len(keys):
            factors, *_ = np.linalg.lstsq(small, value, rcond=None)
            if not same(small @ factors, value, LOOSE):
                return None
            each.append(factors)
        else:
            each.append(np.full(len(keys), np.nan))
    table = np.array(each)
    known = ~np.isnan(table).any(axis=1)
    if known.sum() < 2:
        return None
    result: dict[str, float | str] = {}
    for position, key in enumerate(keys):
        series = table[known, position]
        if np.allclose(series, series[0], rtol=1e-4, atol=1e-6):
            result[key] = float(series[0])
        elif label := size_of(series, [case for case, there in zip(cases, known, strict=True) if there]):
            result[key] = label
        else:
            return None
    return result


def size_of(series: Array, cases: list[Case]) -> str | None:
    """The size, or product or power of sizes, that these factors are."""
    for label, sizes in _named_sizes(cases):
        for sign, mark in ((1, ""), (-1, "-")):
            for power, form in SIZES_AND_POWERS:
                if np.allclose(series, sign * sizes**power, rtol=1e-4):
                    return mark + form.format(label)
    return None


def _said(key: str, factor: float | str) -> str | None:
    if isinstance(factor, str):
        return f"The term {key} has the factor {factor}, which does not belong there."
    if abs(factor - 1) < 1e-4:
        return None
    if abs(factor) < 1e-4:
        return f"The term {key} is missing."
    if abs(factor + 1) < 1e-4:
        return f"The term {key} has the wrong sign."
    return f"The term {key} is {factor:.4g} times what it must be."


def _named_sizes(cases: list[Case]) -> list[tuple[str, Array]]:
    """Sizes by name, then products and quotients of two, that differ from case to case."""
    names = set.intersection(*(set(case.sizes) for case in cases))
    single = [name for name in cases[0].sizes if name in names]
    columns = {name: np.array([case.sizes[name] for case in cases], float) for name in single}
    columns |= {f"{a}*{b}": columns[a] * columns[b] for a, b in combinations(single, 2)}
    columns |= {f"{a}/{b}": columns[a] / columns[b] for a in single for b in single if a != b}
    return list(columns.items())
