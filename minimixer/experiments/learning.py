"""Train many small models and plot their curves."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import TYPE_CHECKING, Any, cast

from minimixer.backend import to_device
from minimixer.data import Dataset, Prefetch
from minimixer.data.known import load
from minimixer.errors import UsageError
from minimixer.experiments.options import Learning, Trained
from minimixer.nn import MlpMixer, Model, build
from minimixer.parallel import Workers, score
from minimixer.plots import BLUE, GREEN, ORANGE, PURPLE, RED
from minimixer.plots.style import declutter
from minimixer.train import TrainConfig, load_run
from minimixer.train.initialize import build_model, initialize
from minimixer.train.loop import train_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS: tuple[tuple[str, Any, str], ...] = tuple(zip(       # color, line and marker of each curve
    (BLUE, RED, GREEN, PURPLE, ORANGE), ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))), "os^Dv", strict=True))
TESTED = 2000       # test images before the end: testing on all would take longer than the steps in between
KINDS = {"Mixer": "", "ViT": "vit-", "ConvNet": "convnet-"}        # prefixes of model names
LARGE = 32          # image size in pixels from which the ConvNet's stem has stride 2
Curve = dict[str, Any]


def load_data(options: Learning) -> Dataset:
    """The dataset of an experiment.  Raises DataError."""
    return load(options.data, options.data_dir, options.download)


def learn(label: str, config: TrainConfig, workers: Workers, dataset: Dataset, model: Model | None = None,
          tests: int = 6) -> tuple[Model, Curve]:
    """Train one model as ``fit`` does, without a run folder, and print one line with the result.

    Parameters
    ----------
    label : str
        Name of the model in that line.
    config : TrainConfig
    workers : Workers
    dataset : Dataset
        Used instead of the dataset in ``config``.
    model : Model, optional
        Used instead of the model in ``config``.
    tests : int
        Number of tests: the last on all test images, the others on the first 2,000.

    Returns
    -------
    model : Model
    curve : dict
        ``seed``, ``parameters``, ``seconds``, and four lists with one entry per test: ``steps``, ``train_loss`` (mean
        since the previous test), ``test_loss`` in nats, ``test_accuracy`` in 0..1.
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
    print(f"{label}, seed {config.seed}: {curve['test_accuracy'][-1]:.2%} of the test images, "
          f"{curve['seconds']:.0f} s", flush=True)
    return cast(Model, state.model), curve


def compared(kind: str, config: TrainConfig, dataset: Dataset) -> tuple[TrainConfig, Model]:
    """A model of one of the three kinds, with about the same number of parameters, and its training config.

    Parameters
    ----------
    kind : "Mixer", "ViT" or "ConvNet"
        For large images, the ConvNet's stem has stride 2, as in a ResNet, or the ConvNet would take ten times as long
        as the others.  For the same reason, the one of size pico is wider and shallower than ``convnet-pico``.
    config : TrainConfig
        The config of the Mixer.
    dataset : Dataset
    """
    name: Any = f"{KINDS[kind]}{config.model}"
    config = replace(config, model=name, patch_size=config.patch_size if kind != "ConvNet" else None)
    if kind != "ConvNet":
        return config, build_model(config, dataset)
    _, side, _, channels = dataset.train_images.shape
    sizes = {"width": 16, "blocks_per_stage": 1} if name == "convnet-pico" else {}
    model: Any = build(name, config.seed, image_size=side, in_channels=channels,
                       num_classes=dataset.num_classes, **sizes)
    model.stem.stride = 2 if side >= LARGE else 1
    return config, model


def trained_mixer(options: Trained, patch_size: int | None = None) -> tuple[str, MlpMixer]:
    """A description of where a Mixer comes from, and the Mixer.  Raises UsageError if it is another model."""
    if options.run is not None:
        loaded = load_run(options.run)
        model, source = loaded.model, f"{options.run.name}, step {loaded.metadata.get('step', 'unknown')}"
    else:
        dataset, seed = load_data(options), options.seeds[0]
        config = options.config(options.model, seed, flip=options.data != "digits", crop_padding=1)
        config = replace(config, patch_size=patch_size) if patch_size else config
        with Workers(options.workers) as workers:
            model, curve = learn(f"Mixer {options.model}", config, workers, dataset, tests=2)
        accuracy, data = curve["test_accuracy"][-1], name_of(dataset.name)
        source = f"{options.model}, {options.steps:,} steps, {accuracy:.0%} on {data}"
    if not isinstance(model, MlpMixer):
        raise UsageError(f"--run {options.run} holds a {type(model).__name__}: expected a Mixer, which has token "
                         "mixing")
    return source, model


def last(curves: Sequence[Curve], what: str = "test_accuracy") -> list[float]:
    """The last value of each curve, one per seed."""
    return [float(curve[what][-1]) for curve in curves]


def spread(values: Sequence[float]) -> str:
    """The mean as a percentage, followed by the single values if there are several."""
    each = f" ({', '.join(f'{100 * value:.1f}' for value in values)})" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{each}"


def plot_curves(axes: "Axes", groups: Mapping[str, Sequence[Curve]], what: str = "test_accuracy",
                title: str = "") -> None:
    """Plot accuracy or loss over steps: a thin line per seed, a thick one for their mean."""
    scale, unit = (100, "accuracy (%)") if what == "test_accuracy" else (1, "cross-entropy (nats)")
    for (label, curves), (color, line, marker) in zip(groups.items(), LOOKS, strict=False):
        steps, several = curves[0]["steps"], [[scale * value for value in curve[what]] for curve in curves]
        for values in several if len(several) > 1 else []:
            axes.plot(steps, values, color=color, linewidth=0.7, alpha=0.5)
        axes.plot(steps, [mean(column) for column in zip(*several, strict=True)], color=color, linestyle=line,
                  marker=marker, markersize=4, label=label)
    tidy(axes, "steps", unit, title)


def tidy(axes: "Axes", xlabel: str, ylabel: str, title: str = "") -> None:
    """Label the axes, add a faint grid, and a legend if there is anything to list."""
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.set_title(title, fontsize=10)
    declutter(axes)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9)


def name_of(data: str) -> str:
    """The name of a dataset in figures."""
    return {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}.get(data, data)

