"""``minimixer experiments token-weights``: what the hidden units of token mixing look for.

Each unit of the first layer has one weight per patch, drawn as a small image: blue below zero, red above.  As in the
paper's figures 5 and 6, each unit is shown with its opposite, sorted by mean spatial frequency.  Because opposites are
selected, untrained weights are treated the same way for comparison.  After a short training run, weights are still
close to their initial values; so what training added is also shown separately.
"""

from dataclasses import dataclass
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.bench.report import table
from minimixer.console import at_least
from minimixer.experiments.frequency import evenly, mean_frequency, mosaic, opposite_pairs
from minimixer.experiments.learning import trained_mixer
from minimixer.experiments.options import Trained
from minimixer.nn import MlpMixer
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OPPOSITE = -0.8         # correlation below which two units count as opposites


@dataclass(frozen=True, kw_only=True)
class Options(Trained):
    """Options of ``experiments token-weights``."""

    blocks: int = 3
    """Number of blocks to show, from the first."""
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


def measure(options: Options) -> dict[str, Any]:
    """Describe the first blocks of the trained and of the untrained Mixer."""
    options = options.small
    source, model = trained_mixer(options)
    untrained = MlpMixer(model.config, seed=options.seeds[0])
    found = []
    for blocks in list(zip(model.blocks, untrained.blocks, strict=True))[:options.blocks]:
        after, before = (block.token_mixing.fc1.weight.data for block in blocks)
        entry = {"trained": describe(after), "untrained": describe(before)}
        if options.run is None:                 # the initial weights of a given run are not known
            entry["added"] = describe(after - before)
        found.append(entry)
    return {"source": source, "patches": model.config.num_patches, "units": options.units, "blocks": found}


def report(found: dict[str, Any]) -> str:
    """Rows for every block: trained, untrained, and what training added."""
    rows = []
    for number, block in enumerate(found["blocks"], 1):
        for label, of in block.items():
            correlations = of["correlations"]
            rows.append([f"{number}, {label}", str(2 * len(correlations)), f"{median(correlations):.2f}",
                         f"{min(correlations):.2f}", f"{mean(c < OPPOSITE for c in correlations):.0%}",
                         f"{mean(of['frequencies']):.2f}"])
    return (f"{found['source']}; S = {found['patches']} patches.\n\n"
            + table(["block", "units", "median correlation of opposites", "lowest", f"below {OPPOSITE:g}",
                     "cycles per image"], rows))


def draw(found: dict[str, Any]) -> "Figure":
    """Draw units above their opposites, from low to high frequency: trained, and what training added."""
    blocks, columns, shown = found["blocks"], 8, found["units"] // 2        # both count units with their opposites
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
