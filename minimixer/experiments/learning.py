"""Train many small models."""

import time
from dataclasses import replace
from statistics import mean
from typing import Any, Literal, NamedTuple, cast

from minimixer.backend import to_device
from minimixer.data import Dataset, Prefetch
from minimixer.data.known import load
from minimixer.experiments.options import Learning
from minimixer.nn import Model, build
from minimixer.parallel import Workers, score
from minimixer.train import TrainConfig
from minimixer.train.initialize import build_model, initialize
from minimixer.train.loop import train_step

TESTED = 2000       # test images before the end: testing on all would take longer than the steps in between
Kind = Literal["Mixer", "ViT", "ConvNet"]
KINDS: dict[Kind, str] = {"Mixer": "", "ViT": "vit-", "ConvNet": "convnet-"}        # prefixes of model names
LARGE = 32          # image size in pixels from which the ConvNet's stem has stride 2
Curve = dict[str, Any]


class Training(NamedTuple):
    """One training run: its config, images, and model (by default that of the config)."""

    config: TrainConfig
    dataset: Dataset
    model: Model | None = None


def load_data(options: Learning) -> Dataset:
    """The dataset of an experiment.  Raises DataError."""
    return load(options.data, options.data_dir, options.download)


def learn(label: str, config: TrainConfig, workers: Workers, dataset: Dataset, model: Model | None = None,
          tests: int = 6, part: str = "test") -> tuple[Model, Curve]:
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
    part : str
        What that line calls the test images.

    Returns
    -------
    model : Model
    curve : dict
        ``seed``, ``parameters``, ``seconds``, and four lists with one entry per test: ``steps``, ``train_loss`` (mean
        since the previous test), ``test_loss`` in nats, ``test_accuracy`` in 0..1.

    Raises
    ------
    DivergedError
        If the loss is no longer a finite number.
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
    print(f"{label}, seed {config.seed}: {curve['test_accuracy'][-1]:.2%} of the {part} images, "
          f"{curve['seconds']:.0f} s", flush=True)
    return cast(Model, state.model), curve


def compared(kind: Kind, config: TrainConfig, dataset: Dataset) -> tuple[TrainConfig, Model]:
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
    model.stem.stride = (2, 2) if side >= LARGE else (1, 1)
    return config, model
