"""``minimixer experiments data-size``: a Mixer, a ViT and a ConvNet on more and more training images.

The three have about the same number of parameters, each has its own learning rate, and every training run has the same
number of steps, as in the paper: with fewer images, each is seen more often.  Every share is trained on with and
without augmentation (shifts and flips).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.data import Dataset
from minimixer.errors import UsageError
from minimixer.experiments.figures import figure_title, over, tidy
from minimixer.experiments.lab import Lab, trained
from minimixer.experiments.learning import KINDS, Training, compared
from minimixer.experiments.options import Learning, several
from minimixer.experiments.rates import tuned
from minimixer.experiments.runs import Arm, Runs, paired
from minimixer.experiments.verdicts import Claim, Part, Values
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WAYS = {False: "plain", True: "augmented"}


def part(dataset: Dataset, percent: float, seed: int = 0) -> Dataset:
    """A random share of the training images, the same for every class; larger shares contain smaller ones."""
    rng = np.random.default_rng(seed)
    labels = dataset.train_labels
    chosen = []
    for k in range(dataset.num_classes):
        of_class = rng.permutation(np.flatnonzero(labels == k))
        chosen.append(of_class[:max(1, round(len(of_class) * percent / 100))])
    kept = np.sort(np.concatenate(chosen))
    return replace(dataset, train_images=dataset.train_images[kept], train_labels=labels[kept])


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """Options of ``experiments data-size``."""

    steps: int = 1200
    """Steps per training run, for every share."""
    percents: tuple[float, ...] = (2, 10, 50)
    """Shares of the training images; each seed draws its own, the same for all models."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(0 < percent <= 100 for percent in self.percents):
            raise UsageError(f"--percents are {self.percents}: expected numbers above 0, up to 100")
        several(percents=self.percents)


def arm_name(kind: str, percent: float, augment: bool) -> str:
    """The name of one of the arms."""
    return f"{kind}, {percent:g} %, {WAYS[augment]}"


def percents_of(options: Any) -> list[float]:
    """The shares, the smallest first."""
    return sorted((20, 100) if options.quick else set(options.percents))


def check(lab: Lab) -> None:
    """Raise UsageError if the smallest share is smaller than a batch."""
    percent, batch = percents_of(lab.options)[0], lab.options.batch_size
    if (count := len(part(lab.dataset, percent).train_images)) < batch:
        raise UsageError(f"--percents names {percent:g}, which is {count} of the images, and a batch has {batch}: "
                         "expected larger shares, or a smaller --batch-size")


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """Every kind of model on every share of the images, with and without augmentation."""
    percents = percents_of(lab.options)
    return [Arm(arm_name(kind, percent, augment),
                {"kind": kind, "percent": percent, "augment": augment, "lr": tuned(lab, kind)})
            for percent, augment, kind in product(percents, WAYS, KINDS)]


def training(lab: Lab, arm: Arm, seed: int) -> Training:
    """A model on its share of the images."""
    of = arm.settings
    images = part(lab.dataset, of["percent"], seed)
    config, model = compared(of["kind"], lab.options.config(lab.options.model, seed, of["lr"], of["augment"]), images)
    return Training(config, images, model)


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Train one model."""
    given = training(lab, arm, seed)
    return {**trained(lab, arm, given)[1], "images": len(given.dataset.train_images)}


def ends(runs: Runs) -> list[float]:
    """The smallest and the largest share that were measured."""
    percents = {float(line["settings"]["percent"]) for line in runs}
    return [min(percents), max(percents)] if percents else []


def lead(runs: Runs, other: str, percent: float, augment: bool) -> Values:
    """By how many points the Mixer leads on a share of the images."""
    ours, theirs = (runs.values(arm_name(kind, percent, augment)) for kind in ("Mixer", other))
    return paired(ours, theirs, 100)


def leads_grow(runs: Runs) -> list[Part]:
    """How much more the Mixer leads with the largest share than with the smallest."""
    return [Part(f"Mixer - {other}, {WAYS[augment]}",
                 paired(lead(runs, other, ends(runs)[1], augment), lead(runs, other, ends(runs)[0], augment)))
            for other, augment in product(("ViT", "ConvNet"), WAYS) if is_measured(runs, other, augment)]


def leads_at_first(runs: Runs) -> list[Part]:
    """By how much the Mixer leads with the smallest share."""
    return [Part(f"Mixer - {other}, {WAYS[augment]}", lead(runs, other, ends(runs)[0], augment))
            for other, augment in product(("ViT", "ConvNet"), WAYS) if is_measured(runs, other, augment)]


def is_measured(runs: Runs, other: str, augment: bool) -> bool:
    """Whether there are runs with, or without, augmentation."""
    return len(runs) > 0 and arm_name(other, ends(runs)[0], augment) in runs.arms


CLAIMS = (
    Claim("More data helps a Mixer more than a ViT or a ConvNet", "figure 2, right; table 3",
          "Mixer-L/16 trails ViT-L/16 by 4.4 points on ImageNet, 1.6 on ImageNet-21k, 0.8 on JFT-300M",
          "growth of the Mixer's lead from the smallest to the largest share", leads_grow, low=0),
    Claim("With few images, a Mixer is behind", "figure 2, right",
          "Mixer-L/16 trails ViT-L/16 by 4.4 points on ImageNet", "the Mixer's lead on the smallest share",
          leads_at_first, high=0))


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Plot accuracy over the number of images, with and without augmentation."""
    ways = [augment for augment in WAYS if any(line["settings"]["augment"] == augment for line in runs)]
    fig = figure(4.5 * len(ways) + 0.5, 4)
    percents = sorted({float(line["settings"]["percent"]) for line in runs})
    images = [next((int(line["result"]["images"]) for line in runs
                    if "result" in line and line["settings"]["percent"] == percent), 0) for percent in percents]
    for axes, augment in zip(np.ravel(fig.subplots(1, len(ways), sharey=True)), ways, strict=True):
        over(axes, images, {kind: [runs.values(arm_name(kind, percent, augment)) for percent in percents]
                            for kind in KINDS})
        axes.set_xscale("log")
        axes.set_xticks(images, [f"{count:,}\n{percent:g} %" for count, percent in zip(images, percents, strict=True)])
        axes.minorticks_off()
        tidy(axes, "training images", "" if axes.get_subplotspec().colspan.start else "test accuracy (%)",
             "with shifts and flips" if augment else "without augmentation")
    fig.suptitle(figure_title(runs, "accuracy by the number of training images"))
    return fig
