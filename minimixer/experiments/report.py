"""Results of experiments as tables: every arm with its interval, and every claim with its verdict."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from minimixer.bench.report import table
from minimixer.experiments.figures import finite
from minimixer.experiments.intervals import interval
from minimixer.experiments.runs import Runs
from minimixer.experiments.verdicts import Claim, judge

ACCURACY = ("accuracy, %", "95 % interval", "every seed")


def judged(claims: Sequence[Claim], runs: Runs) -> list[dict[str, Any]]:
    """The verdicts on all claims of an experiment."""
    return [judge(claim, runs) for claim in claims]


def arms_table(module: Any, runs: Runs) -> str:
    """The module's own rows, or one row per arm that has an accuracy: mean, interval, and every seed."""
    if hasattr(module, "rows"):
        header, rows = module.rows(runs)
        return table(header, rows)
    rows = [[arm, *accuracy_of(runs, arm)] for arm in runs.arms if finite(runs.values(arm)) or failures(runs, arm)]
    return table(["arm", *ACCURACY], rows) if rows else ""


def accuracy_of(runs: Runs, arm: str) -> list[str]:
    """The cells of an arm under ACCURACY: mean, interval, and every seed, in percent."""
    values = finite(runs.values(arm), 100)
    return [f"{mean(values):.1f}" if values else "", _limits(values) if values else "",
            ", ".join([*(f"{value:.1f}" for value in values), *failures(runs, arm)])]


def failures(runs: Runs, arm: str) -> list[str]:
    """One word for each run of an arm that failed."""
    return ["failed" for line in runs if line["arm"] == arm and "failed" in line]


def _limits(values: Sequence[float]) -> str:
    found = interval(values)
    return "" if math.isinf(found.low) else f"{found.low:.1f} to {found.high:.1f}"


def figure_of(part: Mapping[str, Any], digits: int | None) -> str:
    """A quantity with its interval, as text: ``+2.8 (+1.9 to +3.7)``; without an interval, the values by themselves."""
    values = list(part["values"].values())
    if not values:
        return "not measured"
    if found := part["interval"]:
        middle, low, high = (signed(found[name], digits) for name in ("mean", "low", "high"))
        return middle if low == high else f"{middle} ({low} to {high})"
    return ", ".join("failed" if value is None else signed(value, digits) for value in values)


def verdict_of(part: Mapping[str, Any]) -> str:
    """The verdict on a quantity, with the reason if it cannot be told."""
    return part["verdict"] + (f": {part['why']}" if part["verdict"] == "cannot be told" else "")


def signed(value: float, digits: int | None) -> str:
    """A number with its sign; as a power of ten if it has no fixed number of decimals."""
    if digits is None:
        return f"{value:.0e}" if value else "0"
    return f"{value:+.{digits}f}"


def verdicts_table(claims: Sequence[Mapping[str, Any]]) -> str:
    """One row per quantity of every claim."""
    rows = [[claim["says"] if i == 0 else "", part["label"], figure_of(part, claim["digits"]), claim["unit"],
             claim["limits"], verdict_of(part)]
            for claim in claims for i, part in enumerate(claim["parts"])]
    return table(["claim", "quantity", "value (95 % interval)", "unit", "holds if", "verdict"], rows, 6)


def report(module: Any, runs: Runs, claims: Sequence[Mapping[str, Any]]) -> str:
    """All tables of an experiment."""
    parts = [arms_table(module, runs), verdicts_table(claims) if claims else ""]
    return "\n\n".join(part for part in parts if part)
