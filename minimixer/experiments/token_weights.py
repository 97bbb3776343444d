"""``minimixer experiments token-weights``: what the hidden units of token mixing look for.

A unit of the first layer has one weight a patch, drawn here as a small picture: blue below zero, red above.  Units are
paired with their opposites, and pairs are sorted by their mean spatial frequency, as in the paper's figures 5 and 6.
Pairs are chosen because they are opposites, so the same is done with untrained weights, to compare.  After a short
training most of a weight is still what it was at the start; so what the training has added is shown by itself, too.
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
    """The options of ``token-weights``."""

    blocks: int = 3
    """How many blocks are shown, from the first."""
    units: int = 64
    """How many units of each are drawn, at most."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, blocks=self.blocks)
        at_least(2, units=self.units)


def describe(weight: np.ndarray) -> dict[str, Any]:
    """Pairs of units, their correlations, frequencies, and order.  weight: (S, D_S)."""
    side = round(weight.shape[0] ** 0.5)
    maps = weight.T.reshape(-1, side, side)                                     # (D_S, side, side)
    frequency = mean_frequency(maps) * side                                     # (D_S,)  cycles a picture
    pairs = sorted(opposite_pairs(maps), key=lambda pair: frequency[pair[0]] + frequency[pair[1]])
    return {"correlations": [round(pair[2], 4) for pair in pairs],
            "frequencies": [round(float(frequency[i] + frequency[j]) / 2, 4) for i, j, _ in pairs],
            "maps": [maps[[i, j]].astype(float).round(4).tolist() for i, j, _ in pairs]}


def measure(options: Options) -> dict[str, Any]:
    """Look at the first blocks of the trained Mixer, and of the untrained one."""
    options = options.small
    source, model = trained_mixer(options)
    untrained = MlpMixer(model.config, seed=options.seeds[0])
    found = []
    for blocks in list(zip(model.blocks, untrained.blocks, strict=True))[:options.blocks]:
        after, before = (block.token_mixing.fc1.weight.data for block in blocks)
        entry = {"trained": describe(after), "untrained": describe(before)}
        if options.run is None:                 # the start of another run is not known
            entry["added"] = describe(after - before)
        found.append(entry)
    return {"source": source, "patches": model.config.num_patches, "units": options.units, "blocks": found}


def report(found: dict[str, Any]) -> str:
    """Rows for every block: trained, untrained, and what the training has added."""
    rows = []
    for number, block in enumerate(found["blocks"], 1):
        for label, of in block.items():
            correlations = of["correlations"]
            rows.append([f"{number}, {label}", str(2 * len(correlations)), f"{median(correlations):.2f}",
                         f"{min(correlations):.2f}", f"{mean(c < OPPOSITE for c in correlations):.0%}",
                         f"{mean(of['frequencies']):.2f}"])
    return (f"{found['source']}; S = {found['patches']} patches.\n\n"
            + table(["block", "units", "correlation of a pair, median", "lowest", f"below {OPPOSITE:g}",
                     "cycles a picture"], rows))


def draw(found: dict[str, Any]) -> "Figure":
    """Pairs one above the other, in rows, from low to high frequency: trained, and what was added."""
    blocks, columns, shown = found["blocks"], 8, found["units"] // 2        # columns, and shown: of pairs
    parts = [part for part in ("trained", "added") if part in blocks[0]]
    rows = -(-min(shown, len(blocks[0]["trained"]["maps"])) // columns)
    picture = figure(3.4 * len(blocks) + 0.2, len(parts) * (0.93 * rows + 0.4) + 0.7)
    picture.set_layout_engine("constrained", wspace=0.04)
    grid = picture.subplots(len(parts), len(blocks), squeeze=False)
    for across, part in zip(grid, parts, strict=True):
        for number, (axes, block) in enumerate(zip(across, blocks, strict=True), 1):
            chosen = evenly(np.array(block[part]["maps"]), shown)       # (pairs, 2, side, side), by frequency
            chosen = chosen[:len(chosen) // columns * columns or len(chosen)]
            tiles = [tile for start in range(0, len(chosen), columns) for half in (0, 1)
                     for tile in chosen[start:start + columns, half]]
            correlation, untrained = (median(block[of]["correlations"]) for of in (part, "untrained"))
            what = "weights" if part == "trained" else "what the training added"
            mosaic(axes, tiles, columns, f"block {number}, {what}\nmedian correlation {correlation:.2f} "
                   f"(untrained {untrained:.2f})", together=2)
    picture.suptitle(f"Token mixing: units above their opposites, low frequencies first\n{found['source']}",
                     fontsize=11)
    return picture
