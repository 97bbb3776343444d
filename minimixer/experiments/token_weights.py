"""``minimixer experiments token-weights``: what the hidden units of token mixing look for.

Each unit of the first layer has one weight per patch, drawn as a small image: blue below zero, red above.  As in the
paper's figures 5 and 6, each unit is shown with its opposite, sorted by mean spatial frequency.  Because opposites are
selected, untrained weights are treated the same way for comparison.  After a short training run, weights are still
close to their initial values; so what training added is also shown separately.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.console import at_least
from minimixer.experiments.figures import figure_title, quantities
from minimixer.experiments.frequency import evenly, mean_frequency, mosaic, opposite_pairs
from minimixer.experiments.lab import Lab
from minimixer.experiments.learning import Training
from minimixer.experiments.mixers import mixer_of, mixer_training
from minimixer.experiments.options import Trained
from minimixer.experiments.rates import tuned
from minimixer.experiments.runs import Arm, Runs, paired
from minimixer.experiments.verdicts import Claim, Part
from minimixer.nn import MlpMixer
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OPPOSITE = -0.8         # correlation below which two units count as opposites


@dataclass(frozen=True, kw_only=True)
class Options(Trained):
    """Options of ``experiments token-weights``."""

    steps: int = 2000
    """Steps per training run."""
    blocks: int = 3
    """Number of blocks to look at, from the first."""
    units: int = 64
    """Maximum number of units to draw per block."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, blocks=self.blocks)
        at_least(2, units=self.units)


def describe(weight: np.ndarray) -> dict[str, Any]:
    """Opposite units, sorted by frequency, with correlations and frequencies.  weight: (S, D_S)."""
    side = round(weight.shape[0] ** 0.5)
    maps = weight.T.reshape(-1, side, side)                                     # (D_S, side, side)
    frequency = mean_frequency(maps) * side                                     # (D_S,)  cycles per image
    pairs = sorted(opposite_pairs(maps), key=lambda pair: frequency[pair[0]] + frequency[pair[1]])
    return {"correlations": [round(pair[2], 4) for pair in pairs],
            "frequencies": [round(float(frequency[i] + frequency[j]) / 2, 4) for i, j, _ in pairs],
            "maps": [maps[[i, j]].astype(float).round(4).tolist() for i, j, _ in pairs]}


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """One Mixer per seed, or the one of ``--run``."""
    if lab.options.run is not None:
        return [Arm("Mixer", {"run": lab.options.run.name}, once=True)]
    return [Arm("Mixer", {"lr": tuned(lab, "Mixer")})]


def training(lab: Lab, arm: Arm, seed: int) -> Training:
    """A Mixer."""
    return mixer_training(lab, arm, seed)


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Describe the first blocks of a Mixer before and after training; seed 0 also keeps the weights, to be drawn."""
    source, model, curve = mixer_of(lab, arm, seed)
    untrained = MlpMixer(model.config, seed=seed)
    found: dict[str, Any] = {**curve, "source": source, "patches": model.config.num_patches}
    maps = []
    for number, blocks in enumerate(zip(model.blocks, untrained.blocks, strict=True), 1):
        if number > lab.options.blocks:
            break
        after, before = (block.token_mixing.fc1.weight.data for block in blocks)
        parts = {"trained": describe(after), "untrained": describe(before)}
        if lab.options.run is None:             # the initial weights of a given run are not known
            parts["added"] = describe(after - before)
        for part, of in parts.items():
            found[f"correlation, block {number}, {part}"] = median(of["correlations"])
            found[f"frequency, block {number}, {part}"] = mean(of["frequencies"])
        maps.append(parts)
    return {**found, "blocks": maps} if seed == 0 else found


def compared_with_noise(runs: Runs, what: str) -> list[Part]:
    """How a number of each block differs from that of the untrained weights."""
    numbers = dict.fromkeys(key.split(", ")[1] for result in runs.results("Mixer").values() for key in result
                            if key.startswith(f"{what}, "))
    found = []
    for block in numbers:
        trained, untrained = (runs.values("Mixer", f"{what}, {block}, {part}") for part in ("trained", "untrained"))
        found.append(Part(block, paired(trained, untrained)))
    return found


CLAIMS = (
    Claim("Token mixing learns pairs of units with opposite phase", "figures 5, 6", "shown, not counted",
          "median correlation of opposite units, trained minus untrained",
          lambda runs: compared_with_noise(runs, "correlation"), unit="correlation", high=0, digits=2),
    Claim("(Ours) Token mixing learns units that are smoother than noise", "figures 5, 6", "shown, not counted",
          "mean frequency of a unit, trained minus untrained", lambda runs: compared_with_noise(runs, "frequency"),
          unit="cycles per image", high=0, digits=2))


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draw units above their opposites, from low to high frequency: trained, and what training added, with seed 0.

    Without the weights, only the quantities are drawn.
    """
    found = runs.results("Mixer").get(0, {})
    if "blocks" not in found:
        return draw_quantities(runs, claims)
    blocks, columns = found["blocks"], 8
    shown = runs.settings.get("units", 64) // 2             # both count units with their opposites
    parts = [part for part in ("trained", "added") if part in blocks[0]]
    rows = -(-min(shown, len(blocks[0]["trained"]["maps"])) // columns)
    fig = figure(3.4 * len(blocks) + 0.2, len(parts) * (0.93 * rows + 0.4) + 0.7)
    fig.set_layout_engine("constrained", wspace=0.04)
    grid = fig.subplots(len(parts), len(blocks), squeeze=False)
    for across, part in zip(grid, parts, strict=True):
        for number, (axes, block) in enumerate(zip(across, blocks, strict=True), 1):
            chosen = evenly(np.array(block[part]["maps"]), shown)       # (pairs, 2, side, side), by frequency
            chosen = chosen[:len(chosen) // columns * columns or len(chosen)]
            tiles = [tile for start in range(0, len(chosen), columns) for half in (0, 1)
                     for tile in chosen[start:start + columns, half]]
            correlation, untrained = (median(block[of]["correlations"]) for of in (part, "untrained"))
            what = "weights" if part == "trained" else "added by training"
            mosaic(axes, tiles, columns, f"block {number}, {what}\nmedian correlation {correlation:.2f} "
                   f"(untrained {untrained:.2f})", together=2)
    fig.suptitle(f"Token mixing: units above their opposites, low frequencies first\n{found['source']}",
                     fontsize=11)
    return fig


def draw_quantities(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draw each claim's quantities, compared with untrained weights."""
    fig = figure(9, 2.8)
    for axes, claim in zip(fig.subplots(1, len(claims)), claims, strict=True):
        quantities(axes, [claim], claim["quantity"])
    fig.suptitle(figure_title(runs, "token mixing, compared with untrained weights"))
    return fig
