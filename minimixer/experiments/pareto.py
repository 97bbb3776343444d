"""``minimixer experiments pareto``: accuracy against multiply-adds for Mixers, ViTs and ConvNets of five sizes.

The sizes are those of ``--model`` with its width multiplied: channels and hidden units of Mixer and ViT, channels of
the ConvNet.  Factor 1 has the family's own learning rate; every other size has one that a search around that rate finds
on validation images, with as many steps.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.errors import UsageError
from minimixer.experiments.figures import LOOKS, figure_title, finite, over, quantities, tidy
from minimixer.experiments.lab import Lab, trained
from minimixer.experiments.learning import KINDS, Training, compared
from minimixer.experiments.options import Learning, several
from minimixer.experiments.rates import tuned
from minimixer.experiments.runs import Arm, Runs, paired
from minimixer.experiments.search import images_for, is_search, planned_searches, rows_with_rates, searched, tried
from minimixer.experiments.verdicts import Claim, Part, Values
from minimixer.nn import MODEL_CLASSES, ConvNetConfig, MixerConfig, Model, count_macs
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 50         # between the cheapest and the dearest model that two families have in common


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """Options of ``experiments pareto``."""

    steps: int = 800
    """Steps per training run."""
    widths: tuple[float, ...] = (0.5, 0.75, 1, 1.5, 2)
    """Factors of the width of --model; channels are rounded to multiples of 4."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(0.1 <= width <= 16 for width in self.widths):
            raise UsageError(f"--widths are {self.widths}: expected factors from 0.1 to 16")
        several(widths=self.widths)


def arm_name(kind: str, width: float) -> str:
    """The name of one of the arms."""
    return f"{kind}, width {width:g}"


def started(lab: Lab) -> list[Arm]:
    """Every family in every size, with the learning rate of the family."""
    widths = (0.5, 1) if lab.options.quick else sorted(set(lab.options.widths))
    return [Arm(arm_name(kind, width), {"kind": kind, "width": width, "lr": tuned(lab, kind)})
            for width, kind in product(widths, KINDS)]


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """The search for the rate of every size; then every family in every size."""
    return searched(lab, runs, started(lab), lambda settings: settings["width"] == 1)


def planned(lab: Lab) -> list[tuple[Arm, float]]:
    """The arms to time, and how many runs each makes."""
    return [*planned_searches(arms(lab, Runs([]))), *((arm, lab.options.seeds) for arm in started(lab))]


def scaled(model: Any, width: float, seed: int) -> Model:
    """The same model with a multiple of its width, at new weights."""
    def times(size: int) -> int:
        return max(4, 4 * round(width * size / 4))

    config: Any = model.config
    names = (("width",) if isinstance(config, ConvNetConfig) else
             ("hidden_dim", "tokens_mlp_dim", "channels_mlp_dim") if isinstance(config, MixerConfig) else
             ("hidden_dim", "mlp_dim"))
    changes = {name: times(getattr(config, name)) for name in names}
    if isinstance(config, ConvNetConfig):
        changes["groups"] = math.gcd(config.groups, changes["width"])
    new: Any = MODEL_CLASSES[type(config)](replace(config, **changes), seed)
    if isinstance(config, ConvNetConfig):
        new.stem.stride = model.stem.stride
    return new


def training(lab: Lab, arm: Arm, seed: int) -> Training:
    """One family in one size."""
    of = arm.settings
    images = images_for(lab, of)
    config, model = compared(of["kind"], lab.options.config(lab.options.model, seed, of["lr"]), images)
    return Training(config, images, scaled(model, of["width"], seed))


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Train one model, and count its multiply-adds."""
    given = training(lab, arm, seed)
    if is_search(arm.settings):
        return tried(lab, arm, given)
    assert given.model is not None
    return {**trained(lab, arm, given)[1], "macs": count_macs(given.model)}


def sizes(runs: Runs, kind: str) -> list[tuple[str, float]]:
    """The arms of a family and their multiply-adds, the cheapest first."""
    found = [(arm, finite(runs.values(arm, "macs"))) for arm in runs.arms if runs.setting(arm, "kind") == kind]
    return sorted(((arm, values[0]) for arm, values in found if values), key=lambda size: size[1])


def curve(runs: Runs, kind: str, places: Sequence[float]) -> Values:
    """Mean accuracy of a family over costs, between whose models it is interpolated, by seed.

    None for a seed with a run that failed; seeds that lack a size are left out.
    """
    points = sizes(runs, kind)
    several = [runs.values(arm) for arm, _ in points]
    found: dict[int, float | None] = {}
    for seed in sorted(set.intersection(*map(set, several)) if several else set()):
        accuracies = [values[seed] for values in several]
        found[seed] = None if None in accuracies else float(np.mean(np.interp(
            places, [math.log(macs) for _, macs in points], np.array(accuracies, float))))
    return found


def costs_in_common(runs: Runs, other: str) -> list[float]:
    """Logarithms of the costs that the Mixer and another family both have, in equal steps; none if one has no models.

    If one family begins where the other has ended, it is the cost of its cheapest model.
    """
    ours, theirs = sizes(runs, "Mixer"), sizes(runs, other)
    if not ours or not theirs:
        return []
    low, high = max(ours[0][1], theirs[0][1]), min(ours[-1][1], theirs[-1][1])
    return np.linspace(math.log(low), math.log(high), POINTS).tolist() if low < high else [math.log(low)]


def leads(runs: Runs, other: str) -> list[Part]:
    """By how many points the Mixer leads at the lowest cost that both have, on average, and at the highest."""
    places = costs_in_common(runs, other)
    parts = {"lowest cost": places[:1], "average": places, "highest cost": places[-1:]}
    return [Part(f"Mixer - {other}, {where}", paired(curve(runs, "Mixer", at), curve(runs, other, at), 100))
            for where, at in parts.items() if at]


rows = rows_with_rates
CLAIMS = (
    Claim("A Mixer is competitive with a ViT of the same cost", "figure 1; table 2",
          "87.94 % against 88.55 %, ImageNet, after JFT-300M", "the Mixer's lead at equal multiply-adds",
          lambda runs: leads(runs, "ViT"), low=-2),
    Claim("(Ours) It is competitive with a ConvNet of the same cost", "table 2",
          "87.94 % against 87.54 % (BiT-R152x4), ImageNet, after JFT-300M", "the Mixer's lead at equal multiply-adds",
          lambda runs: leads(runs, "ConvNet"), low=-2))


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Plot accuracy over multiply-adds, and the Mixer's lead at equal cost."""
    from matplotlib.ticker import LogLocator, NullLocator
    fig = figure(9.6, 4)
    costs, differences = fig.subplots(1, 2, width_ratios=(1.5, 1))
    for kind, look in zip(KINDS, LOOKS, strict=False):
        points = sizes(runs, kind)
        over(costs, [macs / 1e6 for _, macs in points], {kind: [runs.values(arm) for arm, _ in points]}, look=look)
    costs.set_xscale("log")
    costs.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    costs.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    costs.xaxis.set_minor_locator(NullLocator())
    tidy(costs, "million multiply-adds per image", "test accuracy (%)", "accuracy by cost")
    quantities(differences, claims, "points by which the Mixer leads\nat equal multiply-adds")
    fig.suptitle(figure_title(runs, "accuracy by cost"))
    return fig
