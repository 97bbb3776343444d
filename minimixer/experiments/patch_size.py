"""``minimixer experiments patch-size``: the same Mixer with smaller and larger patches.

Halving the side of a patch makes four times as many patches.  Channels and hidden units stay as they are, as in the
paper's models of one letter (B/32 and B/16), so a picture costs about four times as much.
"""

from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

from minimixer.bench.report import table
from minimixer.console import at_least
from minimixer.experiments.learning import LOOKS, last, learn, name_of, pictures, plot_curves, spread, tidy
from minimixer.experiments.options import Learning
from minimixer.nn import count_macs
from minimixer.parallel import Workers
from minimixer.plots import figure
from minimixer.train.initialize import build_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """The options of ``patch-size``."""

    patch_sizes: tuple[int, ...] = (2, 4, 8, 16)
    """P, sides of the patches in pixels."""
    steps: int = 1000
    """Of each training; after a few hundred, patches of all sizes answer alike."""
    seeds: tuple[int, ...] = (0,)
    """Of the trainings; every one is reported."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, patch_sizes=min(self.patch_sizes, default=0))


def measure(options: Options) -> dict[str, Any]:
    """Train with every size of patches."""
    sizes = (2, 4) if options.quick else options.patch_sizes
    options = options.small
    dataset = pictures(options)
    groups: list[list[Any]] = [[] for _ in sizes]
    macs = []
    with Workers(options.workers) as workers:
        for i, size in enumerate(sizes):
            for seed in options.seeds:
                config = options.config(options.model, seed, patch_size=size)
                groups[i].append(learn(f"patches of {size} pixels", config, workers, dataset)[1])
            macs.append(count_macs(build_model(config, dataset)))
    side = dataset.train_images.shape[1]
    return {"data": dataset.name, "model": options.model, "steps": options.steps, "patch_sizes": sizes,
            "patches": [(side // size) ** 2 for size in sizes], "macs": macs, "groups": groups}


def report(found: dict[str, Any]) -> str:
    """A row a size."""
    rows = [[str(size), str(patches), f"{curves[0]['parameters']:,}", f"{macs / 1e6:.1f}",
             f"{mean(c['seconds'] for c in curves):.0f}", spread(last(curves)),
             f"{mean(last(curves, 'train_loss')):.3f}"]
            for size, patches, macs, curves in zip(found["patch_sizes"], found["patches"], found["macs"],
                                                   found["groups"], strict=True)]
    return table(["P", "S", "parameters", "M MACs a picture", "seconds", "right answers, %", "training loss, nats"],
                 rows, 0)


def draw(found: dict[str, Any]) -> "Figure":
    """Curves, and accuracy against cost."""
    picture = figure(9, 3.8)
    curves, costs = picture.subplots(1, 2)
    plot_curves(curves, {f"P = {size}, S = {patches}": group for size, patches, group in
                         zip(found["patch_sizes"], found["patches"], found["groups"], strict=True)},
                title="test accuracy")
    points = [100 * mean(last(group)) for group in found["groups"]]
    costs.semilogx([m / 1e6 for m in found["macs"]], points, color="0.6", linewidth=1)
    for size, macs, group, (colour, _, marker) in zip(found["patch_sizes"], found["macs"], found["groups"], LOOKS,
                                                      strict=False):
        costs.plot([macs / 1e6] * len(group), [100 * a for a in last(group)], linestyle="", color=colour,
                   marker=marker, markersize=5, alpha=0.7)
        costs.annotate(f"P = {size}", (macs / 1e6, 100 * mean(last(group))), xytext=(6, -12),
                       textcoords="offset points", fontsize=9)
    tidy(costs, "million multiply-adds a picture", "right answers (%)", "what an answer costs")
    costs.set_xticks([m / 1e6 for m in found["macs"]], [f"{m / 1e6:.2g}" for m in found["macs"]])
    costs.minorticks_off()
    costs.margins(0.15)
    picture.suptitle(f"{name_of(found['data'])}: Mixer {found['model']} after {found['steps']:,} steps, by side P of "
                     "the patches")
    return picture
