"""``minimixer experiments optimizers``: AdamW against Muon, for a Mixer, a ViT and a ConvNet.

Each family has its own learning rate with each optimizer, found on validation images; steps, images and augmentation
are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

from minimixer.experiments.figures import OPTIMIZER_NAMES, arms_and_quantities
from minimixer.experiments.lab import Lab, trained
from minimixer.experiments.learning import KINDS, Training, compared
from minimixer.experiments.options import Learning
from minimixer.experiments.rates import OPTIMIZERS, tuned
from minimixer.experiments.runs import Arm, Runs, paired
from minimixer.experiments.verdicts import Claim, Part
from minimixer.options import Rule

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """Options of ``experiments optimizers``."""

    steps: int = 1200
    """Steps per training run."""

    COMPARED: ClassVar[tuple[str, ...]] = ("lr", "optimizer")
    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(COMPARED, lambda given: True, "on this comparison (each optimizer has its own rate)",
             "choose another experiment"),)


def arm_name(kind: str, optimizer: str) -> str:
    """The name of one of the arms."""
    return f"{kind}, {OPTIMIZER_NAMES[optimizer]}"


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """Every family with both optimizers."""
    return [Arm(arm_name(kind, optimizer),
                {"kind": kind, "optimizer": optimizer, "lr": tuned(lab, kind, optimizer)})
            for kind, optimizer in product(KINDS, OPTIMIZERS)]


def training(lab: Lab, arm: Arm, seed: int) -> Training:
    """One family with one optimizer."""
    of = arm.settings
    config, model = compared(of["kind"], lab.options.config(lab.options.model, seed, of["lr"],
                                                            optimizer=of["optimizer"]), lab.dataset)
    return Training(config, lab.dataset, model)


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Train one model."""
    return trained(lab, arm, training(lab, arm, seed))[1]


CLAIMS = (
    Claim("(Ours) After as many steps, Muon is more accurate than AdamW", "no figure", "the paper trains with Adam",
          "points gained by Muon", lambda runs: [
              Part(kind, paired(runs.values(arm_name(kind, "muon")), runs.values(arm_name(kind, "adamw")), 100))
              for kind in KINDS if arm_name(kind, "muon") in runs.arms], low=0),)


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draw the accuracy of every arm, and what Muon gains."""
    return arms_and_quantities(runs, claims, "AdamW and Muon", "every arm", "points gained by Muon, paired by seed",
                               height=3.4)
