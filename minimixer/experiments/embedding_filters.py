"""``minimixer experiments embedding-filters``: what the stem of a Mixer looks for in a patch.

Each channel of the stem is a filter of P x P pixels with weights for red, green and blue, drawn in these colors; gray
is zero.  Like the paper's figure 7, it compares two patch sizes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.console import at_least
from minimixer.experiments.figures import figure_title, quantities
from minimixer.experiments.frequency import evenly, mean_frequency, mosaic
from minimixer.experiments.lab import Lab
from minimixer.experiments.learning import Training
from minimixer.experiments.mixers import mixer_of, mixer_training
from minimixer.experiments.options import Trained
from minimixer.experiments.rates import tuned
from minimixer.experiments.runs import Arm, Runs, paired, ratio
from minimixer.experiments.verdicts import Claim, Part, Values
from minimixer.nn import MlpMixer
from minimixer.plots import figure
from minimixer.train.initialize import build_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 16        # filters per row


@dataclass(frozen=True, kw_only=True)
class Options(Trained):
    """Options of ``experiments embedding-filters``."""

    steps: int = 2000
    """Steps per training run."""
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


def sizes_of(options: Any) -> list[int]:
    """The patch sizes, the smallest first."""
    return sorted((2, 4) if options.quick else set(options.patch_sizes))


def check(lab: Lab) -> None:
    """Raise UsageError if patches of one size do not tile the images."""
    for size in sizes_of(lab.options) if lab.options.run is None else []:
        build_model(lab.options.config(lab.options.model, 0, 0.0, patch_size=size), lab.dataset)


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """One Mixer per patch size; or the one of ``--run``."""
    if lab.options.run is not None:
        return [Arm("run", {"run": lab.options.run.name}, once=True)]
    return [Arm(f"P = {size}", {"patch_size": size, "lr": tuned(lab, "Mixer")}) for size in sizes_of(lab.options)]


def training(lab: Lab, arm: Arm, seed: int) -> Training:
    """A Mixer with the patch size of the arm."""
    return mixer_training(lab, arm, seed)


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Describe the filters of a Mixer before and after training; seed 0 also keeps them, to be drawn."""
    source, model, curve = mixer_of(lab, arm, seed)
    p, after = model.config.patch_size, model.stem.weight.data
    before = MlpMixer(model.config, seed=seed).stem.weight.data
    filters = {"trained": describe(after, p), "untrained": describe(before, p)}
    if lab.options.run is None:                 # the initial weights of a given run are not known
        filters["added"] = describe(after - before, p)
    found: dict[str, Any] = {**curve, "source": source, "patch_size": p}
    for part, of in filters.items():            # strong filters count for more
        for what, name in (("frequencies", "frequency"), ("color", "color")):
            found[f"{name}, {part}"] = float(np.average(of[what], weights=of["power"]))
    return {**found, "filters": filters} if seed == 0 else found


def relative(runs: Runs, arm: str) -> Values:
    """Frequency of what training added, as a share of that of noise on the same number of pixels."""
    return ratio(runs.values(arm, "frequency, added"), runs.values(arm, "frequency, untrained"))


def differences(runs: Runs) -> list[Part]:
    """How much lower the frequencies of the largest patches are than those of the smallest."""
    if len(trained := [arm for arm in runs.arms if arm.startswith("P = ")]) < 2:
        return []
    small, *_, large = sorted(trained, key=lambda arm: int(arm.removeprefix("P = ")))
    return [Part(f"{large} minus {small}, cycles per pixel",
                 paired(runs.values(large, "frequency, added"), runs.values(small, "frequency, added"))),
            Part(f"{large} minus {small}, share of the noise's", paired(relative(runs, large), relative(runs, small)))]


CLAIMS = (
    Claim("With larger patches, the stem's filters have lower frequencies", "figure 7", "shown, not counted",
          "mean frequency of what training added to the filters", differences, unit="difference", high=0, digits=2),)


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draw the filters of every stem, low frequencies first: trained, and what training added, with seed 0.

    Without the filters, only the quantities are drawn.
    """
    stems = [result for arm in runs.arms if "filters" in (result := runs.results(arm).get(0, {}))]
    if not stems:
        return draw_quantities(runs, claims)
    shown = runs.settings.get("filters", 64)
    parts = [part for part in ("trained", "added") if part in stems[0]["filters"]]
    rows = -(-min(shown, len(stems[0]["filters"]["trained"]["filters"])) // COLUMNS)
    fig = figure(4.6 * len(stems), len(parts) * (0.29 * rows + 0.4) + 0.5)
    fig.set_layout_engine("constrained", wspace=0.04)
    grid = fig.subplots(len(parts), len(stems), squeeze=False)
    for across, part in zip(grid, parts, strict=True):
        for axes, stem in zip(across, stems, strict=True):
            mosaic(axes, evenly(np.array(stem["filters"][part]["filters"]), shown), COLUMNS,
                   f"P = {stem['patch_size']}: {stem['source']}" if part == "trained" else "added by training")
    fig.suptitle("Filters of the stem, low frequencies first", fontsize=11)
    return fig


def draw_quantities(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draw how much lower the frequencies of large patches are."""
    fig = figure(7, 2.4)
    quantities(fig.subplots(), claims, claims[0]["quantity"])
    fig.suptitle(figure_title(runs, "filters of the stem"))
    return fig
