"""From values to a verdict, by one rule for all claims: a claim is a quantity and the limits between which it lies."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from minimixer.experiments.intervals import Interval, interval
from minimixer.experiments.runs import Runs, number

Verdict = Literal["holds", "does not hold", "cannot be told"]
Values = Mapping[int, float | None]         # by seed; None for a run that failed

RULE = """A claim names a quantity and the limits between which it must lie. The quantity is computed once per seed;
if it compares two arms, they are those with the same seed. Its interval is that of Student's t, 95 %. The claim
**holds** if the whole interval lies between the limits, **does not hold** if the whole interval lies outside, and
**cannot be told** if the interval includes a limit. It cannot be told either with one seed, if a run failed (a loss
that is no number), or if all seeds give the same number, which says nothing about their spread. For quantities that
are computed, not sampled, the interval reaches from the smallest to the largest value, and one value is enough. A
claim with several quantities holds if it holds for each of them, and does not hold if it does not hold for one."""


class Part(NamedTuple):
    """One quantity of a claim: what it is called, and its values by seed."""

    label: str
    values: Values


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, or our own, and what would decide it.

    Attributes
    ----------
    says, where, paper : str
        The claim, the place in the paper, and the paper's own figure.
    quantity, unit : str
        What is measured, and in what.
    parts : callable
        The quantities, from the finished runs.
    low, high : float
        The claim holds for a quantity between these limits.
    exact : bool
        Whether the quantity is computed, not sampled.
    digits : int or None
        Decimals that are shown; None for a power of ten.
    """

    says: str
    where: str
    paper: str
    quantity: str
    parts: Callable[[Runs], Sequence[Part]]
    unit: str = "points"
    low: float = -math.inf
    high: float = math.inf
    exact: bool = False
    digits: int | None = 1

    @property
    def limits(self) -> str:
        """The limits in words."""
        low, high = (f"{limit:g}" for limit in (self.low, self.high))
        if math.isinf(self.low):
            return f"below {high}"
        return f"above {low}" if math.isinf(self.high) else f"between {low} and {high}"


def decide(values: Sequence[float | None], low: float, high: float,
           exact: bool = False) -> tuple[Verdict, str, Interval | None]:
    """The verdict on one quantity, by ``RULE``.

    Parameters
    ----------
    values : sequence of float or None
        One per seed; None, or a number that is not finite, for a run that failed.
    low, high : float
        The limits between which the claim holds.
    exact : bool
        Whether the values are computed, not sampled.

    Returns
    -------
    verdict, why, interval
        The interval is None where there is none.
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not values:
        return "cannot be told", "not measured", None
    if len(finite) < len(values):
        failed = len(values) - len(finite)
        return "cannot be told", f"{failed} of {len(values)} runs failed", None
    if exact:
        found = Interval(sum(finite) / len(finite), min(finite), max(finite))
    elif len(finite) == 1:
        return "cannot be told", "one seed", None
    elif min(finite) == max(finite):
        return "cannot be told", "all seeds give the same number", None
    else:
        found = interval(finite)
    if low < found.low and found.high < high:
        return "holds", "the interval lies between the limits", found
    if found.high <= low or found.low >= high:
        return "does not hold", "the interval lies outside the limits", found
    return "cannot be told", "the interval includes a limit", found


def judge(claim: Claim, runs: Runs) -> dict[str, Any]:
    """The verdict on a claim, with everything that it follows from, as JSON holds it."""
    parts: list[dict[str, Any]] = []
    verdicts: list[Verdict] = []
    for label, values in claim.parts(runs):
        verdict, why, found = decide(list(values.values()), claim.low, claim.high, claim.exact)
        verdicts.append(verdict)
        parts.append({"label": label, "values": {str(seed): value for seed, value in values.items()},
                      "interval": found and found._asdict(), "verdict": verdict, "why": why})
    return {"says": claim.says, "where": claim.where, "paper": claim.paper, "quantity": claim.quantity,
            "unit": claim.unit, "limits": claim.limits, "low": number(claim.low), "high": number(claim.high),
            "exact": claim.exact, "digits": claim.digits, "parts": parts, "verdict": together(verdicts)}


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a claim with several quantities."""
    if "does not hold" in verdicts:
        return "does not hold"
    return "holds" if verdicts and set(verdicts) == {"holds"} else "cannot be told"
