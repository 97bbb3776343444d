"""Training many small models, and their curves."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import TYPE_CHECKING, Any

from minimixer.backend import to_device
from minimixer.data import Dataset, Prefetch
from minimixer.data.known import load
from minimixer.errors import UsageError
from minimixer.experiments.options import Learning, Trained
from minimixer.nn import MlpMixer, Model, build
from minimixer.parallel import Workers, score
from minimixer.plots import BLUE, GREEN, ORANGE, PURPLE, RED
from minimixer.train import TrainConfig, load_run
from minimixer.train.initialize import build_model, initialize
from minimixer.train.loop import train_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS: tuple[tuple[str, Any, str], ...] = tuple(zip(       # colour, line and marker of each curve
    (BLUE, RED, GREEN, PURPLE, ORANGE), ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))), "os^Dv", strict=True))
TESTED = 2000       # test pictures, before the end: a test of all would take longer than the steps between
KINDS = {"Mixer": "", "ViT": "vit-", "ConvNet": "convnet-"}        # what the names of the models begin with
LARGE = 32          # pixels a side
Curve = dict[str, Any]


def pictures(options: Learning) -> Dataset:
    """The data set of an experiment.  Raises DataError."""
    return load(options.data, options.data_dir, options.download)


def learn(label: str, config: TrainConfig, workers: Workers, dataset: Dataset, model: Model | None = None,
          tests: int = 6) -> tuple[Model, Curve]:
    """Train one model as ``fit`` does, without a run folder, and say on a line how it went.

    Parameters
    ----------
    label : str
        What the line calls it.
    config : TrainConfig
    workers : Workers
    dataset : Dataset
        Takes the place of the one that the configuration names.
    model : Model, optional
        Takes the place of the one that the configuration names.
    tests : int
        How often it is tested: on all test pictures in the end, before on the first 2,000.

    Returns
    -------
    model : Model
    curve : dict
        ``seed``, ``parameters``, ``seconds``, and four lists of one length: ``steps``, ``train_loss`` (the mean since
        the test before), ``test_loss`` in nats, ``test_accuracy`` in 0..1.
    """
    start = time.perf_counter()
    run = initialize(config, workers, dataset=dataset, model=model)
    state = run.state
    images, labels = (to_device(a, run.device) for a in (dataset.test_images, dataset.test_labels))
    ends = {run.total_steps * (i + 1) // tests for i in range(tests)}
    columns: dict[str, list[float]] = {name: [] for name in ("steps", "train_loss", "test_loss", "test_accuracy")}
    with Prefetch(run.batches) as batches:
        while state.step < run.total_steps:
            train_step(run, *batches[state.step])
            if state.step in ends:
                shown = slice(None if state.step == run.total_steps else TESTED)
                tested = score(run.sharded.predict(images[shown]), labels[shown])
                row = state.step, mean(state.finite_losses()), *tested
                for values, value in zip(columns.values(), row, strict=True):
                    values.append(value)
                state.recent.clear()
    curve: Curve = {"seed": config.seed, "parameters": state.model.num_parameters(),
             "seconds": round(time.perf_counter() - start, 1), **columns}
    print(f"{label}, seed {config.seed}: {curve['test_accuracy'][-1]:.2%} of the test pictures, "
          f"{curve['seconds']:.0f} s", flush=True)
    return state.model, curve


def compared(kind: str, config: TrainConfig, dataset: Dataset) -> tuple[TrainConfig, Model]:
    """A model of one of the three kinds, of about as many parameters, and how it is trained.

    Parameters
    ----------
    kind : "Mixer", "ViT" or "ConvNet"
        The stem of the ConvNet halves the side of large pictures, as a ResNet's does, or it would take ten times as
        long as the others; the one of pico is wider and less deep than ``convnet-pico``, for the same reason.
    config : TrainConfig
        That of the Mixer.
    dataset : Dataset
    """
    name: Any = f"{KINDS[kind]}{config.model}"
    config = replace(config, model=name)
    if kind != "ConvNet":
        return config, build_model(config, dataset)
    _, side, _, channels = dataset.train_images.shape
    sizes = {"width": 16, "blocks_per_stage": 1} if name == "convnet-pico" else {}
    model: Any = build(name, config.seed, image_size=side, in_channels=channels,
                       num_classes=dataset.num_classes, **sizes)
    model.stem.stride = 2 if side >= LARGE else 1
    return config, model


def trained_mixer(options: Trained, patch_size: int | None = None) -> tuple[str, MlpMixer]:
    """Where a Mixer comes from, in words, and the Mixer itself.  Raises UsageError if it is another model."""
    if options.run is not None:
        loaded = load_run(options.run)
        model, source = loaded.model, f"{options.run.name}, step {loaded.metadata.get('step', 'unknown')}"
    else:
        dataset, seed = pictures(options), options.seeds[0]
        config = options.config(options.model, seed, flip=options.data != "digits", crop_padding=1)
        config = replace(config, patch_size=patch_size) if patch_size else config
        with Workers(options.workers) as workers:
            model, curve = learn(f"Mixer {options.model}", config, workers, dataset, tests=2)
        accuracy, data = curve["test_accuracy"][-1], name_of(dataset.name)
        source = f"{options.model}, {options.steps:,} steps, {accuracy:.0%} of {data}"
    if not isinstance(model, MlpMixer):
        raise UsageError(f"--run {options.run} holds a {type(model).__name__}: expected a Mixer, which has token "
                         "mixing")
    return source, model


def last(curves: Sequence[Curve], what: str = "test_accuracy") -> list[float]:
    """Where the curves end, one number a seed."""
    return [float(curve[what][-1]) for curve in curves]


def spread(values: Sequence[float]) -> str:
    """Mean of shares in per cent, and every one where there are several."""
    each = f" ({', '.join(f'{100 * value:.1f}' for value in values)})" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{each}"


def plot_curves(axes: "Axes", groups: Mapping[str, Sequence[Curve]], what: str = "test_accuracy",
                title: str = "") -> None:
    """Draw accuracy or loss against steps: a thin line a seed, a thick one for their mean."""
    scale, unit = (100, "right answers (%)") if what == "test_accuracy" else (1, "cross-entropy (nats)")
    for (label, curves), (colour, line, marker) in zip(groups.items(), LOOKS, strict=False):
        steps, several = curves[0]["steps"], [[scale * value for value in curve[what]] for curve in curves]
        for values in several if len(several) > 1 else []:
            axes.plot(steps, values, color=colour, linewidth=0.7, alpha=0.5)
        axes.plot(steps, [mean(column) for column in zip(*several, strict=True)], color=colour, linestyle=line,
                  marker=marker, markersize=4, label=label)
    tidy(axes, "steps", unit, title)


def tidy(axes: "Axes", xlabel: str, ylabel: str, title: str = "") -> None:
    """Names of the axes, a faint grid, a legend if there is something to name."""
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9)


def name_of(data: str) -> str:
    """How a figure calls a data set."""
    return {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}.get(data, data)

