"""``minimixer experiments embedding-filters``: what the stem of a Mixer looks for in a patch.

A channel of the stem is a filter of P x P pixels with a weight for red, green and blue, drawn in these colours: grey is
zero.  The paper's figure 7 compares two sizes of patches; so does this.
"""

from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.bench.report import table
from minimixer.console import at_least
from minimixer.experiments.frequency import evenly, mean_frequency, mosaic
from minimixer.experiments.learning import trained_mixer
from minimixer.experiments.options import Trained
from minimixer.nn import MlpMixer
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 16        # of filters


@dataclass(frozen=True, kw_only=True)
class Options(Trained):
    """The options of ``embedding-filters``."""

    patch_sizes: tuple[int, ...] = (4, 8)
    """P of the Mixers that are trained; a run has its own."""
    filters: int = 64
    """How many filters of each are drawn, at most."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, filters=self.filters, patch_sizes=min(self.patch_sizes, default=0))


def describe(weight: np.ndarray, patch_size: int) -> dict[str, Any]:
    """The filters by frequency, and how much of their power is colour.  weight: (P * P * channels, C)."""
    filters = weight.T.reshape(weight.shape[1], patch_size, patch_size, -1).astype(float)       # (C, P, P, channels)
    frequency = mean_frequency(filters)                                                 # (C,)  cycles a pixel
    order = frequency.argsort(kind="stable")
    grey = filters.mean(-1, keepdims=True)                                              # (C, P, P, 1)
    power = (filters**2).sum((1, 2, 3))                                                 # (C,)
    colour = ((filters - grey) ** 2).sum((1, 2, 3)) / power.clip(1e-12)                 # (C,)
    return {"frequencies": frequency[order].round(4).tolist(), "colour": colour[order].round(4).tolist(),
            "power": power[order].round(4).tolist(), "filters": filters[order].round(4).tolist()}


def measure(options: Options) -> dict[str, Any]:
    """Look at one run, or train a Mixer for every size of patches."""
    sizes: tuple[int | None, ...] = (2, 4) if options.quick else options.patch_sizes
    options = options.small
    stems = []
    for size in sizes if options.run is None else (None,):
        source, model = trained_mixer(options, size)
        p, after = model.config.patch_size, model.stem.weight.data
        before = MlpMixer(model.config, seed=options.seeds[0]).stem.weight.data
        filters = {"trained": describe(after, p), "untrained": describe(before, p)}
        if options.run is None:                 # the start of another run is not known
            filters["added"] = describe(after - before, p)
        stems.append({"source": source, "patch_size": p, "filters": filters})
    return {"shown": options.filters, "stems": stems}


def report(found: dict[str, Any]) -> str:
    """Rows for every stem: trained, untrained, and what the training has added."""
    rows = []
    for stem in found["stems"]:
        rows += [[f"P = {stem['patch_size']}, {label}", str(len(of["power"])), f"{mean(of['frequencies']):.3f}",
                  f"{np.average(of['frequencies'], weights=of['power']):.3f}",      # strong filters count for more
                  f"{np.average(of['colour'], weights=of['power']):.0%}"]
                 for label, of in stem["filters"].items()]
    return ("\n".join(f"P = {stem['patch_size']}: {stem['source']}" for stem in found["stems"]) + "\n\n"
            + table(["stem", "filters", "cycles a pixel", "by power", "power in colour"], rows))


def draw(found: dict[str, Any]) -> "Figure":
    """The filters of every stem, low frequencies first: trained, and what was added."""
    stems = found["stems"]
    parts = [part for part in ("trained", "added") if part in stems[0]["filters"]]
    rows = -(-min(found["shown"], len(stems[0]["filters"]["trained"]["filters"])) // COLUMNS)
    picture = figure(4.6 * len(stems), len(parts) * (0.29 * rows + 0.4) + 0.5)
    picture.set_layout_engine("constrained", wspace=0.04)
    grid = picture.subplots(len(parts), len(stems), squeeze=False)
    for across, part in zip(grid, parts, strict=True):
        for axes, stem in zip(across, stems, strict=True):
            mosaic(axes, evenly(np.array(stem["filters"][part]["filters"]), found["shown"]), COLUMNS,
                   f"P = {stem['patch_size']}: {stem['source']}" if part == "trained" else "what the training added")
    picture.suptitle("Filters of the stem, low frequencies first", fontsize=11)
    return picture
