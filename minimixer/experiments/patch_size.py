"""``minimixer experiments patch-size``: the same Mixer with smaller and larger patches.

Half the patch size means four times as many patches.  The numbers of channels and hidden units stay the same, as in the
paper's models of one letter (B/32 and B/16), so an image costs about four times as much.
"""

from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

from minimixer.bench.report import table
from minimixer.console import at_least
from minimixer.experiments.learning import LOOKS, last, learn, load_data, name_of, plot_curves, spread, tidy
from minimixer.experiments.options import Learning
from minimixer.nn import count_macs
from minimixer.parallel import Workers
from minimixer.plots import figure
from minimixer.train.initialize import build_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """Options of ``experiments patch-size``."""

    patch_sizes: tuple[int, ...] = (2, 4, 8, 16)
    """Patch sizes P in pixels."""
    steps: int = 1000
    """Steps per training run; after only a few hundred, all patch sizes perform about the same."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of the training runs; each is reported."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, patch_sizes=min(self.patch_sizes, default=0))


def measure(options: Options) -> dict[str, Any]:
    """Train with every patch size."""
    sizes = (2, 4) if options.quick else options.patch_sizes
    options = options.small
    dataset = load_data(options)
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
    """One row per patch size."""
    rows = [[str(size), str(patches), f"{curves[0]['parameters']:,}", f"{macs / 1e6:.1f}",
             f"{mean(c['seconds'] for c in curves):.0f}", spread(last(curves)),
             f"{mean(last(curves, 'train_loss')):.3f}"]
            for size, patches, macs, curves in zip(found["patch_sizes"], found["patches"], found["macs"],
                                                   found["groups"], strict=True)]
    return table(["P", "S", "parameters", "M MACs per image", "seconds", "accuracy, %", "training loss, nats"], rows, 0)


def draw(found: dict[str, Any]) -> "Figure":
    """Plot the curves, and accuracy over cost."""
    fig = figure(9, 3.8)
    curves, costs = fig.subplots(1, 2)
    plot_curves(curves, {f"P = {size}, S = {patches}": group for size, patches, group in
                         zip(found["patch_sizes"], found["patches"], found["groups"], strict=True)},
                title="test accuracy")
    points = [100 * mean(last(group)) for group in found["groups"]]
    costs.semilogx([m / 1e6 for m in found["macs"]], points, color="0.6", linewidth=1)
    for size, macs, group, (color, _, marker) in zip(found["patch_sizes"], found["macs"], found["groups"], LOOKS,
                                                      strict=False):
        costs.plot([macs / 1e6] * len(group), [100 * a for a in last(group)], linestyle="", color=color,
                   marker=marker, markersize=5, alpha=0.7)
        costs.annotate(f"P = {size}", (macs / 1e6, 100 * mean(last(group))), xytext=(6, -12),
                       textcoords="offset points", fontsize=9)
    tidy(costs, "million multiply-adds per image", "accuracy (%)", "accuracy by cost")
    costs.set_xticks([m / 1e6 for m in found["macs"]], [f"{m / 1e6:.2g}" for m in found["macs"]])
    costs.minorticks_off()
    costs.margins(0.15)
    fig.suptitle(f"{name_of(found['data'])}: Mixer {found['model']} after {found['steps']:,} steps, by patch size P")
    return fig
