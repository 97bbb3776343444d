"""``minimixer experiments learning-rates``: the learning rate of each family of models, searched on validation images.

Each family is trained with each optimizer on nine tenths of the training images and tested on the rest.  The rates are
powers of two times a first guess; the search goes on as long as the best one is the lowest or the highest.  The test
images are not looked at.  The other experiments take the best rates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from minimixer.console import at_least
from minimixer.experiments.figures import LOOKS, OPTIMIZER_NAMES, figure_title, tidy
from minimixer.experiments.journal import Journal, settings_of
from minimixer.experiments.lab import Lab, measure
from minimixer.experiments.learning import KINDS, Kind, Training, compared
from minimixer.experiments.options import Learning, OptimizerName
from minimixer.experiments.runs import Arm, Runs
from minimixer.experiments.search import LENGTH, SHOWN, accuracies, best, images_of, next_rates, shown, tried
from minimixer.experiments.verdicts import Claim
from minimixer.options import Rule
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "learning-rates"
START = {"muon": 0.012, "adamw": 0.003}     # the first rate that is tried
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


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """Every rate that was tried, and the next ones."""
    chosen = []
    for kind, optimizer in product(lab.options.kinds, lab.options.optimizers):
        found = accuracies(runs, {"kind": kind, "optimizer": optimizer})
        chosen += [Arm(arm_name(kind, optimizer, lr), {"kind": kind, "optimizer": optimizer, "lr": lr})
                   for lr in [*found, *next_rates(lab, found, START[optimizer])]]
    return chosen


def planned(lab: Lab) -> list[tuple[Arm, float]]:
    """The arms to time: a search takes the first three rates, and half as many again."""
    return [(arm, LENGTH * lab.options.seeds) for arm in arms(lab, Runs([]))]


def training(lab: Lab, arm: Arm, seed: int) -> Training:
    """One run of the search."""
    of, images = arm.settings, images_of(lab)
    config = lab.options.config(lab.options.model, seed, of["lr"], optimizer=of["optimizer"])
    config, model = compared(of["kind"], config, images)
    return Training(config, images, model)


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Train, and test on the validation images."""
    return tried(lab, arm, training(lab, arm, seed))


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
        lab.rates[kind, chosen] = best(accuracies(journal.runs, {"kind": kind, "optimizer": chosen}))
    return lab.rates[kind, chosen]


def pairs(runs: Runs) -> list[tuple[str, str]]:
    """The families and optimizers that were searched."""
    return list(dict.fromkeys((runs.setting(arm, "kind"), runs.setting(arm, "optimizer")) for arm in runs.arms))


def rows(runs: Runs) -> tuple[Sequence[str], list[list[str]]]:
    """One row per family and optimizer: the best rate, and the accuracy of every rate."""
    found = {(kind, optimizer): accuracies(runs, {"kind": kind, "optimizer": optimizer})
             for kind, optimizer in pairs(runs)}
    return (["family", "optimizer", "best rate", SHOWN],
            [[kind, OPTIMIZER_NAMES[optimizer], f"{best(of):g}", shown(of)]
             for (kind, optimizer), of in found.items()])


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Validation accuracy over the learning rate, with the best marked."""
    fig = figure(9, 3.6)
    found = pairs(runs)
    optimizers = list(dict.fromkeys(optimizer for _, optimizer in found))
    for axes, optimizer in zip(np.ravel(fig.subplots(1, len(optimizers), sharey=True)), optimizers, strict=True):
        for kind, (color, line, marker) in zip(KINDS, LOOKS, strict=False):
            if (kind, optimizer) in found:
                of = accuracies(runs, {"kind": kind, "optimizer": optimizer})
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
