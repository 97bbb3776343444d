"""``minimixer experiments learning-rates``: the learning rate of each family of models, searched on validation images.

Each family is trained with each optimizer on nine tenths of the training images and tested on the rest.  The rates are
powers of two times a first guess; the search goes on as long as the best one is the lowest or the highest.  The test
images are not looked at.  The other experiments take the best rates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from minimixer.console import at_least
from minimixer.data import Dataset
from minimixer.data.notes import Notes
from minimixer.data.parts import cut
from minimixer.experiments.figures import LOOKS, OPTIMIZER_NAMES, figure_title, tidy
from minimixer.experiments.journal import Journal, settings_of
from minimixer.experiments.lab import Lab, measure
from minimixer.experiments.learning import KINDS, Kind, Training, compared, learn
from minimixer.experiments.options import Learning, OptimizerName
from minimixer.experiments.report import failures
from minimixer.experiments.runs import Arm, Runs
from minimixer.experiments.verdicts import Claim
from minimixer.options import Rule
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "learning-rates"
START = {"muon": 0.012, "adamw": 0.003}     # the first rate that is tried
FACTOR = 2.0
WIDEST = 3                                  # rates on each side of the first, at most
SHARE = 0.1                                 # of the training images, for validation
CLAIMS: tuple[Claim, ...] = ()              # it finds rates for the others
OPTIMIZERS: tuple[OptimizerName, ...] = ("muon", "adamw")


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """Options of ``experiments learning-rates``."""

    steps: int = 1000
    """Steps per training run."""
    seeds: int = 1
    """Number of seeds that each rate is tried with; the mean decides."""
    kinds: tuple[Kind, ...] = tuple(KINDS)
    """Families of models."""
    optimizers: tuple[OptimizerName, ...] = OPTIMIZERS
    """Optimizers."""

    COMPARED: ClassVar[tuple[str, ...]] = ("lr", "optimizer")
    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(COMPARED, lambda given: True, "on the search for a learning rate", "name --optimizers"),)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, kinds=len(self.kinds), optimizers=len(self.optimizers))

    @property
    def suffix(self) -> str:
        """What the names of the files end in: a search is for models of one size."""
        return ("" if self.model == "pico" else f"-{self.model}") + super().suffix


def arm_name(kind: str, optimizer: str, lr: float) -> str:
    """The name of an arm of the search."""
    return f"{kind}, {optimizer}, {lr:g}"


def accuracies(runs: Runs, kind: str, optimizer: str) -> dict[float, float]:
    """Mean validation accuracy by learning rate, of those that have been tried, the lowest rate first."""
    found = {}
    for arm in runs.arms:
        if (runs.setting(arm, "kind"), runs.setting(arm, "optimizer")) == (kind, optimizer):
            values = runs.values(arm).values()
            found[float(runs.setting(arm, "lr"))] = float(np.mean([value or 0.0 for value in values]))   # failed: 0
    return dict(sorted(found.items()))


def best(found: Mapping[float, float]) -> float:
    """The rate with the best accuracy; the lowest of several."""
    return max(found, key=lambda lr: (found[lr], -lr))


def to_try(found: Mapping[float, float], start: float) -> list[float]:
    """The next rates of a search, given the accuracies of those that were tried; none once it has ended."""
    first = [start / FACTOR, start, start * FACTOR]
    if missing := [lr for lr in first if lr not in found]:
        return missing
    lowest, *_, highest = sorted(found)
    limits = start / FACTOR**WIDEST, start * FACTOR**WIDEST
    if best(found) == lowest and lowest > limits[0]:
        return [lowest / FACTOR]
    return [highest * FACTOR] if best(found) == highest and highest < limits[1] else []


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """Every rate that was tried, and the next ones."""
    chosen = []
    for kind in lab.options.kinds:
        for optimizer in lab.options.optimizers:
            found = accuracies(runs, kind, optimizer)
            tried = [*found, *([] if lab.options.quick and found else to_try(found, START[optimizer]))]
            chosen += [Arm(arm_name(kind, optimizer, lr), {"kind": kind, "optimizer": optimizer, "lr": lr})
                       for lr in tried]
    return chosen


def validated(dataset: Dataset) -> Dataset:
    """The same images with a tenth of the training part in place of the test part."""
    kept, drawn = cut("validation", SHARE, 0, dataset.train_labels, dataset.class_names, Notes(dataset.name))
    images, labels = dataset.train_images, dataset.train_labels
    return replace(dataset, train_images=images[kept], train_labels=labels[kept], test_images=images[drawn],
                   test_labels=labels[drawn])


def planned(lab: Lab) -> list[tuple[Arm, float]]:
    """The arms to time: a search takes the first three rates, and half as many again."""
    return [(arm, 1.5 * lab.options.seeds) for arm in arms(lab, Runs([]))]


def training(lab: Lab, arm: Arm, seed: int) -> Training:
    """One run of the search."""
    of = arm.settings
    images = lab.kept("validated", lambda: validated(lab.dataset))
    config = lab.options.config(lab.options.model, seed, of["lr"], optimizer=of["optimizer"])
    config, model = compared(of["kind"], config, images)
    return Training(config, images, model)


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Train, and test on the validation images."""
    config, images, model = training(lab, arm, seed)
    return learn(arm.name, config, lab.workers, images, model, tests=1, part="validation")[1]


def tuned(lab: Lab, kind: Kind, optimizer: OptimizerName | None = None) -> float:
    """The learning rate of a family: that of ``--lr``, or the best of the search, which is made first if it must be.

    With ``--quick`` it is the first guess.
    """
    options = lab.options
    chosen: OptimizerName = optimizer or options.optimizer
    if options.lr is not None:
        return float(options.lr)
    if options.quick:
        return START[chosen]
    if (kind, chosen) not in lab.rates:
        shared = {name: getattr(options, name) for name in ("out", "data", "data_dir", "download", "model", "workers")}
        wanted = Options(**shared, kinds=(kind,), optimizers=(chosen,))
        path = options.out / f"{NAME}{wanted.suffix}.jsonl"
        begun = settings_of(path)               # a search that the user has begun goes on as it was
        wanted = replace(wanted, **{name: begun[name] for name in ("steps", "batch_size") if name in begun})
        search = Lab(wanted, lab.workers)
        search.dataset = lab.dataset
        search.cache = lab.cache
        journal = Journal(path, NAME, search.settings())
        measure(journal, search.options.seeds, lambda runs: arms(search, runs),
                lambda arm, seed: run(search, arm, seed))
        lab.rates[kind, chosen] = best(accuracies(journal.runs, kind, chosen))
    return lab.rates[kind, chosen]


def pairs(runs: Runs) -> list[tuple[str, str]]:
    """The families and optimizers that were searched."""
    return list(dict.fromkeys((runs.setting(arm, "kind"), runs.setting(arm, "optimizer")) for arm in runs.arms))


def rows(runs: Runs) -> tuple[Sequence[str], list[list[str]]]:
    """One row per family and optimizer: the best rate, and the accuracy of every rate."""
    def shown(kind: str, optimizer: str, lr: float, accuracy: float) -> str:
        failed = " (failed)" if failures(runs, arm_name(kind, optimizer, lr)) else ""
        return f"{lr:g}: {100 * accuracy:.1f}{failed}"

    found = {pair: accuracies(runs, *pair) for pair in pairs(runs)}
    return (["family", "optimizer", "best rate", "rate: validation accuracy, %"],
            [[kind, OPTIMIZER_NAMES[optimizer], f"{best(of):g}",
              ", ".join(shown(kind, optimizer, lr, accuracy) for lr, accuracy in of.items())]
             for (kind, optimizer), of in found.items()])


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Validation accuracy over the learning rate, with the best marked."""
    fig = figure(9, 3.6)
    found = pairs(runs)
    optimizers = list(dict.fromkeys(optimizer for _, optimizer in found))
    for axes, optimizer in zip(np.ravel(fig.subplots(1, len(optimizers), sharey=True)), optimizers, strict=True):
        for kind, (color, line, marker) in zip(KINDS, LOOKS, strict=False):
            if (kind, optimizer) in found:
                of = accuracies(runs, kind, optimizer)
                axes.semilogx(list(of), [100 * value for value in of.values()], color=color, linestyle=line,
                              marker=marker, markersize=4, label=kind)
                axes.plot(best(of), 100 * of[best(of)], marker="o", markersize=11, fillstyle="none", color=color)
        tried = sorted({float(runs.setting(arm, "lr")) for arm in runs.arms
                        if runs.setting(arm, "optimizer") == optimizer})
        axes.set_xticks(tried, [f"{lr:.3g}" for lr in tried], fontsize=8)
        axes.minorticks_off()
        tidy(axes, "peak learning rate", "validation accuracy (%)", OPTIMIZER_NAMES[optimizer])
    fig.suptitle(figure_title(runs, "the search for learning rates"))
    return fig
