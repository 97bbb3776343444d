"""``minimixer experiments data-size``: a Mixer, a ViT and a ConvNet on more and more training pictures.

The three have about as many parameters, and every training has as many steps, as in the paper: fewer pictures are seen
more often.  Nothing is augmented.
"""

from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.bench.report import table
from minimixer.console import at_least
from minimixer.data import Dataset
from minimixer.errors import UsageError
from minimixer.experiments.learning import KINDS, LOOKS, compared, last, learn, name_of, pictures, spread, tidy
from minimixer.experiments.options import Learning
from minimixer.parallel import Workers
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def part(dataset: Dataset, percent: float, seed: int = 0) -> Dataset:
    """A random share of the training pictures, the same share of every class; a smaller share is in a larger one."""
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
    """The options of ``data-size``."""

    steps: int = 1000
    """Of each training: a few hundred see the whole of CIFAR-10 less than once."""
    percents: tuple[float, ...] = (3, 10, 30, 100)
    """Shares of the training pictures."""
    seeds: tuple[int, ...] = (0,)
    """Of the trainings and of the choice of pictures; every one is reported."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, percents=len(self.percents))
        if not all(0 < percent <= 100 for percent in self.percents):
            raise UsageError(f"--percents are {self.percents}: expected numbers above 0, up to 100")


def measure(options: Options) -> dict[str, Any]:
    """Train every kind of model on every share."""
    percents = (10, 100) if options.quick else options.percents
    options = options.small
    dataset = pictures(options)
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
    return {"data": dataset.name, "model": options.model, "percents": percents, "pictures": sizes,
            "steps": options.steps, "batch_size": options.batch_size, "groups": groups}


def report(found: dict[str, Any]) -> str:
    """A row a share; accuracy of every kind, what the Mixer is behind, and how far it overfits."""
    rows = []
    for i, (percent, size) in enumerate(zip(found["percents"], found["pictures"], strict=True)):
        ends = {kind: last(parts[i]) for kind, parts in found["groups"].items()}
        gaps = [f"{100 * (mean(ends['Mixer']) - mean(ends[kind])):+.1f}" for kind in ("ViT", "ConvNet")]
        epochs = found["steps"] * found["batch_size"] / size
        losses = [f"{mean(last(parts[i], 'train_loss')):.2f}" for parts in found["groups"].values()]
        rows.append([f"{percent:g}", f"{size:,}", f"{epochs:.1f}", *map(spread, ends.values()), *gaps,
                     " / ".join(losses)])
    parameters = ", ".join(f"{kind} {parts[0][0]['parameters']:,}" for kind, parts in found["groups"].items())
    return (f"Parameters: {parameters}.\n\n"
            + table(["%", "pictures", "epochs", *(f"{kind}, %" for kind in found["groups"]), "Mixer - ViT",
                     "Mixer - ConvNet", "last training losses"], rows, 0))


def draw(found: dict[str, Any]) -> "Figure":
    """Accuracy, and how far training and test losses are apart, against the number of pictures."""
    picture = figure(9, 3.8)
    accuracies, gaps = picture.subplots(1, 2)
    for (kind, parts), (colour, line, marker) in zip(found["groups"].items(), LOOKS, strict=False):
        look = {"color": colour, "linestyle": line, "marker": marker, "markersize": 5}
        accuracies.plot(found["pictures"], [100 * mean(last(part)) for part in parts], label=kind, **look)
        for size, some in zip(found["pictures"], parts, strict=True):
            if len(some) > 1:
                accuracies.plot([size] * len(some), [100 * a for a in last(some)], color=colour, marker=".",
                                linestyle="", alpha=0.6)
        gaps.plot(found["pictures"], [mean(last(part, "test_loss")) - mean(last(part, "train_loss"))
                                      for part in parts], label=kind, **look)
    for axes in (accuracies, gaps):
        axes.set_xscale("log")
        axes.set_xticks(found["pictures"], [f"{size:,}\n{percent:g} %" for size, percent in
                                            zip(found["pictures"], found["percents"], strict=True)])
        axes.minorticks_off()
    tidy(accuracies, "training pictures", "right answers (%)", "test accuracy")
    tidy(gaps, "training pictures", "nats", "overfitting: test loss less training loss")
    picture.suptitle(f"{name_of(found['data'])}: {found['model']} models, {found['steps']:,} steps of "
                     f"{found['batch_size']} pictures, whatever the share")
    return picture
