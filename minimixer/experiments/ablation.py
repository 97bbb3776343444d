"""``minimixer experiments ablation``: what a Mixer loses without its parts, and what a position embedding adds.

Compares the full Mixer; Mixers without skip connections, LayerNorm or token mixing; Mixers whose token mixing is a
mean, a fixed random matrix, or an MLP per channel; and one with a learned vector added to every patch, as in a ViT.
All start from the same weights and have the learning rate of the full Mixer.  Depth may make skips and norms matter
more, so these are also removed from a deeper Mixer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from minimixer.console import at_least
from minimixer.experiments.ablated import VARIANTS
from minimixer.experiments.figures import arms_and_quantities
from minimixer.experiments.lab import Lab, trained
from minimixer.experiments.learning import Training
from minimixer.experiments.options import Learning, OptimizerName
from minimixer.experiments.rates import tuned
from minimixer.experiments.runs import Arm, Runs, paired
from minimixer.experiments.verdicts import Claim, Part
from minimixer.nn import MlpMixer
from minimixer.train.initialize import build_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEEP = "Mixer", "no skips", "no LayerNorm"      # the variants that are also trained deeper


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """Options of ``experiments ablation``."""

    steps: int = 1000
    """Steps per training run."""
    optimizer: OptimizerName = "adamw"
    """Optimizer of all variants; Muon would leave out the MLPs per channel, whose weights have three axes."""
    depths: tuple[int, ...] = (4, 16)
    """Numbers of blocks: all variants at the first, those without skips or LayerNorm at all of them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, depths=min(self.depths, default=0))


def arm_name(variant: str, depth: int) -> str:
    """The name of one of the arms."""
    return f"{variant}, {depth} blocks"


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """Every variant at the first depth, and some at the others."""
    first, *deeper = (2, 3) if lab.options.quick else dict.fromkeys(lab.options.depths)
    lr = tuned(lab, "Mixer")
    return [Arm(arm_name(variant, depth), {"variant": variant, "depth": depth, "lr": lr})
            for depth in (first, *deeper) for variant in (VARIANTS if depth == first else DEEP)]


def training(lab: Lab, arm: Arm, seed: int) -> Training:
    """One variant at one depth."""
    of = arm.settings
    config = lab.options.config(lab.options.model, seed, of["lr"])
    whole: Any = build_model(config, lab.dataset)
    model = MlpMixer(replace(whole.config, num_blocks=of["depth"]), seed)
    return Training(config, lab.dataset, VARIANTS[of["variant"]](model, seed))


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Train one variant."""
    return trained(lab, arm, training(lab, arm, seed))[1]


def lost(runs: Runs, *variants: str) -> list[Part]:
    """How many points the Mixer is ahead of variants, at every depth at which they were measured."""
    depths = dict.fromkeys(int(line["settings"]["depth"]) for line in runs)
    return [Part(arm_name(variant, depth),
                 paired(runs.values(arm_name("Mixer", depth)), runs.values(arm_name(variant, depth)), 100))
            for variant in variants for depth in depths if arm_name(variant, depth) in runs.arms]


CLAIMS = (
    Claim("A Mixer needs no position embedding", "section 2", "no figure", "points lost by adding one",
          lambda runs: lost(runs, "position added"), low=-1, high=1),
    Claim("Sharing one token-mixing MLP among all channels costs nothing", "section 2", "no figure",
          "points lost by an MLP per channel", lambda runs: lost(runs, "token mixing per channel"), low=-1),
    Claim("(Ours) A Mixer needs token mixing that is learned", "no figure", "not tested", "points lost",
          lambda runs: lost(runs, "no token mixing", "mean for token mixing", "random token mixing"), low=0),
    Claim("(Ours) A Mixer needs skip connections", "no figure", "adopted from ResNet, not tested", "points lost",
          lambda runs: lost(runs, "no skips"), low=0),
    Claim("(Ours) A Mixer needs LayerNorm", "no figure", "adopted from the Transformer, not tested", "points lost",
          lambda runs: lost(runs, "no LayerNorm"), low=0))


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draw the accuracy of every variant, and what each loses."""
    return arms_and_quantities(runs, claims, "a Mixer, ablated", "every variant", "points lost, paired by seed",
                               height=4.4, width=10.5)
