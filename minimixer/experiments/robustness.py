"""``minimixer experiments robustness``: a Mixer and a ConvNet on test images with fifteen corruptions of our own.

Both are trained on clean images with shifts and flips.  Each corruption has severities from 1 to 5; what counts is the
share of its accuracy on clean images that a model keeps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, Any

from minimixer.console import at_least
from minimixer.data import Dataset
from minimixer.errors import UsageError
from minimixer.experiments.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from minimixer.experiments.figures import LOOKS, figure_title, finite, quantities, spread, tidy
from minimixer.experiments.lab import Lab, trained
from minimixer.experiments.learning import Kind, Training, compared
from minimixer.experiments.options import Learning
from minimixer.experiments.rates import tuned
from minimixer.experiments.runs import Arm, Runs, paired
from minimixer.experiments.verdicts import Claim, Part
from minimixer.nn import Model
from minimixer.parallel import Workers, score
from minimixer.parallel.step import ShardedModel
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRAINED: tuple[Kind, ...] = ("Mixer", "ConvNet")


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """Options of ``experiments robustness``."""

    steps: int = 2000
    """Steps per training run."""
    severities: tuple[int, ...] = (1, 3, 5)
    """Severities of each corruption, from 1 to 5."""
    images: int = 2000
    """Test images, the first ones, per corruption and severity."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, images=self.images, severities=len(self.severities))
        if not set(self.severities) <= set(SEVERITIES):
            raise UsageError(f"--severities are {self.severities}: expected whole numbers from 1 to 5")


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """A Mixer and a ConvNet."""
    return [Arm(kind, {"kind": kind, "lr": tuned(lab, kind)}) for kind in TRAINED]


def training(lab: Lab, arm: Arm, seed: int) -> Training:
    """One model on clean images."""
    config, model = compared(arm.settings["kind"], lab.options.config(lab.options.model, seed, arm.settings["lr"]),
                             lab.dataset)
    return Training(config, lab.dataset, model)


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Train one model, and test it on clean and on corrupted images."""
    model, curve = trained(lab, arm, training(lab, arm, seed))
    count, severities = (32, (3,)) if lab.options.quick else (lab.options.images, sorted(set(lab.options.severities)))
    few = replace(lab.dataset, test_images=lab.dataset.test_images[:count], test_labels=lab.dataset.test_labels[:count])
    return {**curve, **tested(model, few, severities, lab.workers)}


def tested(model: Model, dataset: Dataset, severities: Sequence[int], workers: Workers) -> dict[str, Any]:
    """Accuracy on clean and corrupted test images, and the share that is kept, for each corruption and for all.

    Returns
    -------
    dict
        ``clean`` in 0..1; ``corrupted``: by name, one accuracy per severity; ``kept_NAME`` and ``kept`` in percent.
    """
    sharded = ShardedModel(model, workers, *dataset.channel_statistics())
    images, labels = dataset.test_images, dataset.test_labels
    clean = score(sharded.predict(images), labels)[1]
    corrupted = {name: [score(sharded.predict(corrupt(images, name, severity)), labels)[1] for severity in severities]
                 for name in CORRUPTIONS}
    kept = {name: 100 * mean(several) / clean if clean else None for name, several in corrupted.items()}
    every = [share for share in kept.values() if share is not None]
    return {"clean": clean, "corrupted": corrupted, "kept": mean(every) if every else None,
            **{f"kept_{name}": share for name, share in kept.items()}}


CLAIMS = (
    Claim("(Ours) A Mixer keeps more of its accuracy on corrupted images than a ConvNet", "no figure", "not tested",
          "share of the accuracy that is kept, mean of 15 corruptions",
          lambda runs: [Part("Mixer - ConvNet", paired(runs.values("Mixer", "kept"), runs.values("ConvNet", "kept")))]
          if runs.lines else [], unit="% of accuracy", low=0),)


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draw what both models keep of their accuracy, by corruption, and the difference over all."""
    fig = figure(9.6, 5)
    single, all_of_them = fig.subplots(1, 2, width_ratios=(1.6, 1))
    for offset, kind, (color, _, marker) in zip((0.2, -0.2), TRAINED, LOOKS, strict=False):
        for row, name in enumerate(CORRUPTIONS):
            spread(single, -row, finite(runs.values(kind, f"kept_{name}")), color, marker, offset,
                   label=kind if row == 0 else None, horizontal=True, side=0)
    single.set_yticks([-row for row in range(len(CORRUPTIONS))], list(CORRUPTIONS), fontsize=8)
    tidy(single, "% of the accuracy on clean images", "", "kept, by corruption")
    quantities(all_of_them, claims, "difference, all corruptions")
    fig.suptitle(figure_title(runs, "corrupted test images"))
    return fig
