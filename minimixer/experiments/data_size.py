"""``minimixer experiments data-size``: a Mixer, a ViT and a ConvNet on more and more training images.

The three have about the same number of parameters, and every training run has the same number of steps, as in the
paper: with fewer images, each is seen more often.  There is no augmentation.
"""

from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.bench.report import table
from minimixer.console import at_least
from minimixer.data import Dataset
from minimixer.errors import UsageError
from minimixer.experiments.learning import KINDS, LOOKS, compared, last, learn, load_data, name_of, spread, tidy
from minimixer.experiments.options import Learning
from minimixer.parallel import Workers
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def part(dataset: Dataset, percent: float, seed: int = 0) -> Dataset:
    """A random share of the training images, the same for every class; larger shares contain smaller ones."""
    rng = np.random.default_rng(seed)
    labels = dataset.train_labels
    chosen = []
    for k in range(dataset.num_classes):
        of_class = rng.permutation(np.flatnonzero(labels == k))
        chosen.append(of_class[:max(1, round(len(of_class) * percent / 100))])
    kept = np.sort(np.concatenate(chosen))
    return replace(dataset, train_images=dataset.train_images[kept], train_labels=labels[kept])


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """Options of ``experiments data-size``."""

    steps: int = 1000
    """Steps per training run; a few hundred cover less than all of CIFAR-10."""
    percents: tuple[float, ...] = (3, 10, 30, 100)
    """Shares of the training images."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of the training runs and of the choice of images; each is reported."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, percents=len(self.percents))
        if not all(0 < percent <= 100 for percent in self.percents):
            raise UsageError(f"--percents are {self.percents}: expected numbers above 0, up to 100")


def measure(options: Options) -> dict[str, Any]:
    """Train every kind of model on every share of the data."""
    percents = (10, 100) if options.quick else options.percents
    options = options.small
    dataset = load_data(options)
    groups: dict[str, list[list[Any]]] = {kind: [[] for _ in percents] for kind in KINDS}
    sizes = [0] * len(percents)
    with Workers(options.workers) as workers:
        for seed in options.seeds:
            for i, percent in enumerate(percents):
                some = part(dataset, percent, seed)
                sizes[i] = len(some.train_images)
                for kind, curves in groups.items():
                    config, model = compared(kind, options.config(options.model, seed), some)
                    curves[i].append(learn(f"{kind}, {percent:g} %", config, workers, some, model, tests=4)[1])
    return {"data": dataset.name, "model": options.model, "percents": percents, "images": sizes,
            "steps": options.steps, "batch_size": options.batch_size, "groups": groups}


def report(found: dict[str, Any]) -> str:
    """One row per share: accuracy of every kind, how far the Mixer is behind, and the training losses."""
    rows = []
    for i, (percent, size) in enumerate(zip(found["percents"], found["images"], strict=True)):
        ends = {kind: last(parts[i]) for kind, parts in found["groups"].items()}
        gaps = [f"{100 * (mean(ends['Mixer']) - mean(ends[kind])):+.1f}" for kind in ("ViT", "ConvNet")]
        epochs = found["steps"] * found["batch_size"] / size
        losses = [f"{mean(last(parts[i], 'train_loss')):.2f}" for parts in found["groups"].values()]
        rows.append([f"{percent:g}", f"{size:,}", f"{epochs:.1f}", *map(spread, ends.values()), *gaps,
                     " / ".join(losses)])
    parameters = ", ".join(f"{kind} {parts[0][0]['parameters']:,}" for kind, parts in found["groups"].items())
    return (f"Parameters: {parameters}.\n\n"
            + table(["%", "images", "epochs", *(f"{kind}, %" for kind in found["groups"]), "Mixer - ViT",
                     "Mixer - ConvNet", "final training losses"], rows, 0))


def draw(found: dict[str, Any]) -> "Figure":
    """Plot accuracy, and the gap between test and training loss, over the number of images."""
    fig = figure(9, 3.8)
    accuracies, gaps = fig.subplots(1, 2)
    for (kind, parts), (color, line, marker) in zip(found["groups"].items(), LOOKS, strict=False):
        look = {"color": color, "linestyle": line, "marker": marker, "markersize": 5}
        accuracies.plot(found["images"], [100 * mean(last(part)) for part in parts], label=kind, **look)
        for size, some in zip(found["images"], parts, strict=True):
            if len(some) > 1:
                accuracies.plot([size] * len(some), [100 * a for a in last(some)], color=color, marker=".",
                                linestyle="", alpha=0.6)
        gaps.plot(found["images"], [mean(last(part, "test_loss")) - mean(last(part, "train_loss"))
                                    for part in parts], label=kind, **look)
    for axes in (accuracies, gaps):
        axes.set_xscale("log")
        axes.set_xticks(found["images"], [f"{size:,}\n{percent:g} %" for size, percent in
                                          zip(found["images"], found["percents"], strict=True)])
        axes.minorticks_off()
    tidy(accuracies, "training images", "accuracy (%)", "test accuracy")
    tidy(gaps, "training images", "nats", "overfitting: test loss minus training loss")
    fig.suptitle(f"{name_of(found['data'])}: {found['model']} models, {found['steps']:,} steps of "
                     f"{found['batch_size']} images for every share")
    return fig
