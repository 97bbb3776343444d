"""``minimixer experiments patch-size``: the same Mixer with smaller and larger patches, at equal steps and equal time.

Half the patch size means four times as many patches.  The numbers of channels and hidden units stay the same, as in the
paper's models of one letter (B/32 and B/16), so an image costs about four times as much.  At equal time, every patch
size gets as many steps as fit into the time that the model's own patch size needs.  The model's own has the learning
rate of Mixers; every other has one that a search around that rate finds on validation images, at equal steps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from minimixer.console import at_least
from minimixer.experiments.figures import figure_title, finite, over, tidy
from minimixer.experiments.lab import Lab, timed, trained
from minimixer.experiments.learning import Training
from minimixer.experiments.options import Learning, several
from minimixer.experiments.rates import tuned
from minimixer.experiments.runs import Arm, Runs, paired, ratio
from minimixer.experiments.search import images_for, is_search, planned_searches, rows_with_rates, searched, tried
from minimixer.experiments.verdicts import Claim, Part, Values
from minimixer.nn import MIXERS, count_macs
from minimixer.plots import figure
from minimixer.train.initialize import build_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIMES, ROUNDS = "seconds per step", 3


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """Options of ``experiments patch-size``."""

    patch_sizes: tuple[int, ...] = (2, 4, 8, 16)
    """Patch sizes P in pixels."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, patch_sizes=min(self.patch_sizes, default=0))
        several(patch_sizes=self.patch_sizes)


def sizes_of(options: Any) -> list[int]:
    """The patch sizes, the largest first."""
    return sorted((2, 4) if options.quick else set(options.patch_sizes), reverse=True)


def check(lab: Lab) -> None:
    """Raise UsageError if patches of one size do not tile the images."""
    for size in sizes_of(lab.options):
        build_model(lab.options.config(lab.options.model, 0, 0.0, patch_size=size), lab.dataset)


def started(lab: Lab) -> list[Arm]:
    """Every patch size at equal steps, with the learning rate of Mixers."""
    return [Arm(f"P = {size}", {"patch_size": size, "steps": lab.options.steps, "lr": tuned(lab, "Mixer")})
            for size in sizes_of(lab.options)]


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """The time of a step; the search for rates; every patch size at equal steps; then every one at equal time."""
    sizes, steps = sizes_of(lab.options), lab.options.steps
    own, known = reference(sizes, lab.options.model), tuned_size(lab.options)
    timing = Arm(TIMES, {"lr": tuned(lab, "Mixer")}, once=True)
    equal = searched(lab, runs, started(lab), lambda settings: settings["patch_size"] == known)
    found = runs.results(TIMES).get(0)
    fitting = {} if found is None else {size: max(1, round(steps * found[str(own)] / found[str(size)]))
                                        for size in sizes if size != own}
    return [timing, *equal, *(Arm(f"{arm.name}, equal time", {**arm.settings, "steps": fitting[size]})
                              for arm in equal if not is_search(arm.settings)
                              and (size := arm.settings["patch_size"]) in fitting)]


def tuned_size(options: Any) -> int:
    """The patch size with which the learning rate of Mixers was searched."""
    return options.config(options.model, 0, 0.0).patch_size or MIXERS[options.model].patch_size


def reference(sizes: Sequence[int], model: str) -> int:
    """The patch size whose time the others get: the model's own, or the smallest."""
    return MIXERS[model].patch_size if MIXERS[model].patch_size in sizes else min(sizes)


def training(lab: Lab, arm: Arm, seed: int) -> Training:
    """A Mixer with the patch size of the arm."""
    of, options = arm.settings, lab.options
    steps = of["steps"]
    return Training(options.config(options.model, seed, of["lr"], patch_size=of["patch_size"], max_steps=steps,
                                   epochs=steps), images_for(lab, of))


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Train; or time a step with every patch size, in turns."""
    if arm.name == TIMES:
        sizes = sizes_of(lab.options)
        some = {size: Arm("", {**arm.settings, "patch_size": size, "steps": 1000}) for size in sizes}
        rounds = [{size: timed(lab, training(lab, one, 0)).seconds_per_step for size, one in some.items()}
                  for _ in range(1 if lab.options.quick else ROUNDS)]
        return {str(size): median(times[size] for times in rounds) for size in sizes}
    given = training(lab, arm, seed)
    if is_search(arm.settings):
        return tried(lab, arm, given)
    _, curve = trained(lab, arm, given)
    return {**curve, "macs": count_macs(build_model(given.config, lab.dataset))}


def planned(lab: Lab) -> list[tuple[Arm, float]]:
    """The arms to time, and how many runs of each take as long as the experiment: equal time is one run's."""
    equal, searches = started(lab), planned_searches(arms(lab, Runs([])))
    own = reference(sizes_of(lab.options), lab.options.model)
    return [*searches, *((arm, lab.options.seeds * (len(equal) if arm.settings["patch_size"] == own else 1))
                         for arm in equal)]


def sizes_in(runs: Runs) -> list[int]:
    """The patch sizes that were measured, the largest first."""
    return sorted({line["settings"]["patch_size"] for line in runs if line["arm"] != TIMES}, reverse=True)


def at_equal_time(size: int, runs: Runs) -> Values:
    """Accuracy of a patch size at equal time; that of the reference is the one at equal steps."""
    equal = runs.values(f"P = {size}, equal time")
    is_reference = size == reference(sizes_in(runs), runs.settings.get("model", "pico")) and TIMES in runs.arms
    return runs.values(f"P = {size}") if is_reference else equal


def gains(accuracy: Callable[[int, Runs], Values], runs: Runs) -> list[Part]:
    """How many points each step to smaller patches gains."""
    return [Part(f"P = {large} to P = {small}", paired(accuracy(small, runs), accuracy(large, runs), 100))
            for large, small in pairwise(sizes_in(runs))]


def costs(runs: Runs) -> list[Part]:
    """By what factor each step to smaller patches makes an image dearer."""
    return [Part(f"P = {large} to P = {small}", ratio(runs.values(f"P = {small}", "macs"),
                                                      runs.values(f"P = {large}", "macs")))
            for large, small in pairwise(sizes_in(runs))]


rows = rows_with_rates
CLAIMS = (
    Claim("Smaller patches cost more", "table 3", "0.35 times the images/s from S/32 to S/16",
          "multiply-adds per image, as a factor", costs, unit="times as many", low=1, exact=True),
    Claim("Smaller patches are more accurate, at equal steps", "table 3",
          "+5.1 points from S/32 to S/16, +4.5 from B/32 to B/16", "accuracy gained by smaller patches",
          lambda runs: gains(lambda size, runs: runs.values(f"P = {size}"), runs), low=0),
    Claim("(Ours) Smaller patches are more accurate, at equal time too", "no figure", "not tested",
          "accuracy gained by smaller patches", lambda runs: gains(at_equal_time, runs), low=0))


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Plot accuracy over patch size, and over cost."""
    fig = figure(9, 4)
    sizes = sizes_in(runs)
    by_size, by_cost = fig.subplots(1, 2, sharey=True)
    steps = [runs.values(f"P = {size}") for size in sizes]
    over(by_size, sizes, {"equal steps": steps, "equal time": [at_equal_time(size, runs) for size in sizes]})
    counted = {size: macs[0] / 1e6 for size in sizes if (macs := finite(runs.values(f"P = {size}", "macs")))}
    over(by_cost, list(counted.values()), {"equal steps": [runs.values(f"P = {size}") for size in counted]})
    for axes, places, names in ((by_size, sizes, [f"{size}" for size in sizes]),
                                (by_cost, list(counted.values()), [f"{macs:.2g}" for macs in counted.values()])):
        axes.set_xscale("log")
        axes.set_xticks(places, names)
        axes.minorticks_off()
    tidy(by_size, "patch size P (pixels)", "test accuracy (%)", "by patch size")
    tidy(by_cost, "million multiply-adds per image", "", "by cost")
    fig.suptitle(figure_title(runs, "accuracy by patch size"))
    return fig
