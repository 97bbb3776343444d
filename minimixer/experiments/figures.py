"""What the figures of experiments share: every seed as a dot, its mean, and the 95 % interval."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.experiments.intervals import interval
from minimixer.experiments.runs import Runs
from minimixer.experiments.verdicts import Values
from minimixer.plots import BLUE, GREEN, ORANGE, PURPLE, RED, figure
from minimixer.plots.style import declutter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS: tuple[tuple[str, Any, str], ...] = tuple(zip(       # color, line and marker of each curve
    (BLUE, RED, GREEN, PURPLE, ORANGE), ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))), "os^Dv", strict=True))
SIDE = 0.22         # rows between an interval and the dots of its seeds, below it
OPTIMIZER_NAMES = {"muon": "Muon", "adamw": "AdamW"}
VERDICT_COLORS = {"holds": GREEN, "does not hold": RED, "cannot be told": "0.35"}


def finite(values: Values, scale: float = 1.0) -> list[float]:
    """The values of the runs that did not fail."""
    return [scale * value for value in values.values() if value is not None and math.isfinite(value)]


def spread(axes: "Axes", x: float, values: Sequence[float], color: str, marker: str = "o", offset: float = 0.0,
           label: str | None = None, horizontal: bool = False, side: float = SIDE) -> None:
    """Draw the values of all seeds as small dots, their mean, and its interval if there are two or more.

    If the interval is horizontal, the dots lie ``side`` rows below it.
    """
    if not values:
        return
    found = interval(values)
    place = x + offset
    dots = [place - side * horizontal] * len(values)
    axes.plot(*((values, dots) if horizontal else (dots, values)), marker=".", linestyle="", color=color, alpha=0.8,
              markersize=5, zorder=4)
    reach = [[0.0], [0.0]] if math.isinf(found.low) else [[found.mean - found.low], [found.high - found.mean]]
    at = (found.mean, place) if horizontal else (place, found.mean)
    axes.errorbar(*at, xerr=reach if horizontal else None, yerr=None if horizontal else reach, color=color,
                  marker=marker, markersize=6, markerfacecolor="white", capsize=3, linewidth=1.2, label=label, zorder=3)


def over(axes: "Axes", xs: Sequence[float], groups: Mapping[str, Sequence[Values]], scale: float = 100.0,
         look: tuple[str, Any, str] | None = None) -> None:
    """Draw groups over x: a line through the means, and the seeds and the interval of each point.

    Parameters
    ----------
    axes : matplotlib Axes
    xs : sequence of float
    groups : mapping
        Label to one entry per x: the values by seed.
    scale : float
        Factor of all values.
    look : (color, line, marker), optional
        Of all groups; by default each has its own.
    """
    looks = LOOKS if look is None else [look] * len(groups)
    for (label, several), (color, line, marker) in zip(groups.items(), looks, strict=False):
        points = [(x, finite(values, scale)) for x, values in zip(xs, several, strict=True)]
        points = [(x, values) for x, values in points if values]
        axes.plot([x for x, _ in points], [mean(values) for _, values in points], color=color, linestyle=line,
                  linewidth=1)
        for i, (x, values) in enumerate(points):
            spread(axes, x, values, color, marker, label=None if i else label)


def by_arm(axes: "Axes", runs: Runs, arms: Sequence[str], what: str = "test_accuracy", scale: float = 100.0,
           names: Sequence[str] | None = None) -> None:
    """Draw one row per arm, the first on top: every seed, the mean and its interval."""
    for row, arm in enumerate(arms):
        spread(axes, -row, finite(runs.values(arm, what), scale), LOOKS[0][0], horizontal=True)
    axes.set_yticks([-row for row in range(len(arms))], names or arms, fontsize=8)
    axes.set_ylim(-len(arms) + 0.4, 0.6)


def quantities(axes: "Axes", claims: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Draw the quantities of judged claims, colored by the verdict; a claim holds in the tinted part of its row."""
    parts = [(claim, part) for claim in claims for part in claim["parts"]]
    for row, (_, part) in enumerate(parts):
        spread(axes, -row, finite(part["values"]), VERDICT_COLORS[part["verdict"]], horizontal=True)
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=1)
    left, right = axes.get_xlim()
    for row, (claim, _) in enumerate(parts):
        ends = [left if claim["low"] is None else claim["low"], right if claim["high"] is None else claim["high"]]
        axes.fill_betweenx([-row - 0.45, -row + 0.45], *np.clip(ends, left, right), color=GREEN, alpha=0.08, zorder=0,
                           linewidth=0)
    axes.set_xlim(left, right)
    axes.set_yticks([-row for row in range(len(parts))], [part["label"] for _, part in parts], fontsize=8)
    axes.set_ylim(-len(parts) + 0.4, 0.6)
    tidy(axes, parts[0][0]["unit"] if parts else "", "", title)


def arms_and_quantities(runs: Runs, claims: Sequence[Mapping[str, Any]], what: str, arms: str, compared: str,
                        height: float, width: float = 9) -> "Figure":
    """Draw the accuracy of every arm, and beside it the quantities of the claims.

    ``what`` is the figure's title, ``arms`` and ``compared`` are those of the two halves.
    """
    fig = figure(width, height)
    accuracies, differences = fig.subplots(1, 2)
    by_arm(accuracies, runs, runs.arms)
    tidy(accuracies, "test accuracy (%)", "", arms)
    quantities(differences, claims, compared)
    fig.suptitle(figure_title(runs, what))
    return fig


def tidy(axes: "Axes", xlabel: str, ylabel: str, title: str = "") -> None:
    """Label the axes, add a faint grid, and a legend if there is anything to list."""
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.set_title(title, fontsize=10)
    declutter(axes)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9)


def name_of(data: str) -> str:
    """The name of a dataset in figures."""
    return {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}.get(data, data)


def figure_title(runs: Runs, what: str) -> str:
    """Data, size, steps and seeds of an experiment, after what it is about."""
    of = runs.settings
    seeds = len({line["seed"] for line in runs})
    return (f"{name_of(of.get('data', ''))}: {what}\n{of.get('model', '')} models, {of.get('steps', 0):,} steps of "
            f"{of.get('batch_size', 0)} images, {seeds} seed{'s' * (seeds != 1)}")
