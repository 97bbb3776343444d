"""``minimixer experiments embedding-filters``: what the stem of a Mixer looks for in a patch.

Each channel of the stem is a filter of P x P pixels with weights for red, green and blue, drawn in these colors; gray
is zero.  Like the paper's figure 7, it compares two patch sizes.
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

COLUMNS = 16        # filters per row


@dataclass(frozen=True, kw_only=True)
class Options(Trained):
    """Options of ``experiments embedding-filters``."""

    patch_sizes: tuple[int, ...] = (4, 8)
    """Patch sizes P of the Mixers to train; with --run, the run's own."""
    filters: int = 64
    """Maximum number of filters to draw per Mixer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, filters=self.filters, patch_sizes=min(self.patch_sizes, default=0))


def describe(weight: np.ndarray, patch_size: int) -> dict[str, Any]:
    """The filters, sorted by frequency, and the share of color in their power.  weight: (P * P * channels, C)."""
    filters = weight.T.reshape(weight.shape[1], patch_size, patch_size, -1).astype(float)       # (C, P, P, channels)
    frequency = mean_frequency(filters)                                                 # (C,)  cycles per pixel
    order = frequency.argsort(kind="stable")
    gray = filters.mean(-1, keepdims=True)                                              # (C, P, P, 1)
    power = (filters**2).sum((1, 2, 3))                                                 # (C,)
    color = ((filters - gray) ** 2).sum((1, 2, 3)) / power.clip(1e-12)                 # (C,)
    return {"frequencies": frequency[order].round(4).tolist(), "color": color[order].round(4).tolist(),
            "power": power[order].round(4).tolist(), "filters": filters[order].round(4).tolist()}


def measure(options: Options) -> dict[str, Any]:
    """Describe the filters of one run, or of a Mixer trained for each patch size."""
    sizes: tuple[int | None, ...] = (2, 4) if options.quick else options.patch_sizes
    options = options.small
    stems = []
    for size in sizes if options.run is None else (None,):
        source, model = trained_mixer(options, size)
        p, after = model.config.patch_size, model.stem.weight.data
        before = MlpMixer(model.config, seed=options.seeds[0]).stem.weight.data
        filters = {"trained": describe(after, p), "untrained": describe(before, p)}
        if options.run is None:                 # the initial weights of a given run are not known
            filters["added"] = describe(after - before, p)
        stems.append({"source": source, "patch_size": p, "filters": filters})
    return {"shown": options.filters, "stems": stems}


def report(found: dict[str, Any]) -> str:
    """Rows for every stem: trained, untrained, and what training added."""
    rows = []
    for stem in found["stems"]:
        rows += [[f"P = {stem['patch_size']}, {label}", str(len(of["power"])), f"{mean(of['frequencies']):.3f}",
                  f"{np.average(of['frequencies'], weights=of['power']):.3f}",      # strong filters count for more
                  f"{np.average(of['color'], weights=of['power']):.0%}"]
                 for label, of in stem["filters"].items()]
    return ("\n".join(f"P = {stem['patch_size']}: {stem['source']}" for stem in found["stems"]) + "\n\n"
            + table(["stem", "filters", "cycles per pixel", "weighted by power", "power in color"], rows))


def draw(found: dict[str, Any]) -> "Figure":
    """Draw the filters of every stem, low frequencies first: trained, and what training added."""
    stems = found["stems"]
    parts = [part for part in ("trained", "added") if part in stems[0]["filters"]]
    rows = -(-min(found["shown"], len(stems[0]["filters"]["trained"]["filters"])) // COLUMNS)
    fig = figure(4.6 * len(stems), len(parts) * (0.29 * rows + 0.4) + 0.5)
    fig.set_layout_engine("constrained", wspace=0.04)
    grid = fig.subplots(len(parts), len(stems), squeeze=False)
    for across, part in zip(grid, parts, strict=True):
        for axes, stem in zip(across, stems, strict=True):
            mosaic(axes, evenly(np.array(stem["filters"][part]["filters"]), found["shown"]), COLUMNS,
                   f"P = {stem['patch_size']}: {stem['source']}" if part == "trained" else "added by training")
    fig.suptitle("Filters of the stem, low frequencies first", fontsize=11)
    return fig
