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
from minimixer.experiments.frequency import mean_frequency, mosaic
from minimixer.experiments.token_weights import Trained, trained_mixer
from minimixer.nn import MlpMixer
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


def describe(model: MlpMixer) -> dict[str, Any]:
    """The filters by frequency, and how much of their power is colour."""
    p, channels = model.config.patch_size, model.config.in_channels
    filters = model.stem.weight.data.T.reshape(-1, p, p, channels).astype(float)        # (C, P, P, channels)
    frequency = mean_frequency(filters)                                                 # (C,)  cycles a pixel
    order = frequency.argsort(kind="stable")
    grey = filters.mean(-1, keepdims=True)                                              # (C, P, P, 1)
    colour = ((filters - grey) ** 2).sum((1, 2, 3)) / (filters**2).sum((1, 2, 3))       # (C,)
    return {"frequencies": frequency[order].round(4).tolist(), "colour": colour[order].round(4).tolist(),
            "norms": np.sqrt((filters**2).sum((1, 2, 3)))[order].round(4).tolist(),
            "filters": filters[order].round(4).tolist()}


def measure(options: Options) -> dict[str, Any]:
    """Look at one run, or train a Mixer for every size of patches."""
    sizes: tuple[int | None, ...] = (2, 4) if options.quick else options.patch_sizes
    options = options.small
    stems = []
    for size in sizes if options.run is None else (None,):
        source, model = trained_mixer(options, size)
        before = describe(MlpMixer(model.config, seed=options.seeds[0]))
        stems.append(describe(model) | {
            "source": source, "patch_size": model.config.patch_size,
            "untrained": {name: before[name] for name in ("frequencies", "colour", "norms")}})
    return {"shown": options.filters, "stems": stems}


def report(found: dict[str, Any]) -> str:
    """A row a stem, trained and untrained."""
    rows = []
    for stem in found["stems"]:
        for label, of in (("trained", stem), ("untrained", stem["untrained"])):
            weights = np.array(of["norms"]) ** 2            # strong filters count for more
            rows.append([f"P = {stem['patch_size']}, {label}", str(len(of["norms"])), f"{mean(of['frequencies']):.3f}",
                         f"{np.average(of['frequencies'], weights=weights):.3f}",
                         f"{np.average(of['colour'], weights=weights):.0%}"])
    return ("\n".join(f"P = {stem['patch_size']}: {stem['source']}" for stem in found["stems"]) + "\n\n"
            + table(["stem", "filters", "cycles a pixel", "by power", "power in colour"], rows))


def draw(found: dict[str, Any]) -> "Figure":
    """The filters of every stem, low frequencies first."""
    stems = found["stems"]
    picture = figure(4.4 * len(stems), 5.2)
    picture.set_layout_engine("constrained", wspace=0.04)
    for axes, stem in zip(picture.subplots(1, len(stems), squeeze=False)[0], stems, strict=True):
        filters = np.array(stem["filters"])
        chosen = np.unique(np.linspace(0, len(filters) - 1, min(found["shown"], len(filters))).round().astype(int))
        mosaic(axes, filters[chosen], 8, f"patches of {stem['patch_size']} x {stem['patch_size']} pixels\n"
               f"{stem['source']}")
    picture.suptitle("Filters of the stem, low frequencies first")
    return picture
