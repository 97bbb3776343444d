"""Builds everything that a run works with from its configuration, and hands each part only what it needs."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from minimixer import optim
from minimixer.backend import Array, choose_device, to_device
from minimixer.data import Batches, Dataset
from minimixer.data.known import KNOWN
from minimixer.errors import UsageError
from minimixer.nn import MODELS, Model, Module, build
from minimixer.parallel.group import Group
from minimixer.parallel.step import ShardedModel
from minimixer.parallel.workers import Workers
from minimixer.train.config import FREE, TrainConfig
from minimixer.train.inputs import check_same, read_data, settings_of, tell_of
from minimixer.train.lock import held
from minimixer.train.origin import origin_of
from minimixer.train.own_model import examine, is_own, nearest_name
from minimixer.train.run_folder import begun_as, told_in
from minimixer.train.source import Source
from minimixer.train.state import History, TrainState


@dataclass(frozen=True)
class Run:
    """What a run works with; of all this only ``state`` changes.

    Attributes
    ----------
    config : TrainConfig
    group : Group
        The processes that share every batch.
    device, device_why : str
        Where it computes, and a sentence that says so and why.
    dataset : Dataset
    batches : Batches
        Those of this process.
    sharded : ShardedModel
        Computes the loss and its gradients.
    schedule : Schedule
    state : TrainState
    about : dict
        What a checkpoint must say so that its weights can be used.
    told : dict
        What config.json says of images and a model of the user's own.
    source : dict or None
        What config.json says of the model that the run starts from.
    origin : dict
        What last.safetensors says so that it is not taken for another run's, see ``origin.py``.
    notes : sequence of str
        What was decided for the user.
    """

    config: TrainConfig
    group: Group
    device: str
    device_why: str
    dataset: Dataset
    batches: Batches
    sharded: ShardedModel
    schedule: optim.Schedule
    state: TrainState
    about: dict[str, Any]
    told: dict[str, Any]
    source: dict[str, Any] | None
    origin: dict[str, Any]
    notes: Sequence[str] = ()

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.schedule.total_steps

    @property
    def epoch(self) -> float:
        """Passes over the training images so far."""
        return self.state.step / len(self.batches)

    @property
    def model_name(self) -> str:
        """The model's name on the command line, or the class of the user's own."""
        return str(self.about["model_name"])


def initialize(config: TrainConfig, workers: Workers, group: Group | None = None, source: Source | None = None,
               out: Path = Path(), *, dataset: Dataset | None = None, model: Module | None = None) -> Run:
    """Build a run that stands before its first step; nothing is written.

    Parameters
    ----------
    config : TrainConfig
    workers : Workers
    group : Group, optional
        By default this process only.
    source : Source, optional
        The model to start from, for a configuration with ``init_from``.
    out : Path
        The run folder.
    dataset, model : optional
        Take the place of those that the configuration names.

    Raises
    ------
    MinimixerError
        DataError, DeviceError, WeightsError or UsageError, if something is missing or does not fit.
    """
    group = group or Group()
    device, device_why = choose_device(config.device)
    group.use(device)
    group.check_equal("settings", repr({name: value for name, value in asdict(config).items() if name not in FREE}))
    if config.resume:
        group.on_first(lambda: check_same(out, dataset, model))
    trained_for = 0 if source is None else source.trained.sizes.image_size
    given = dataset
    before = group.on_first(lambda: told_in(out, "dataset")) if config.resume else {}
    dataset = group.load(lambda: given or read_data(config, trained_for, before))
    told = tell_of(config, dataset, given is not None, model)
    config, notes = with_possible_batch(config, dataset, "dataset" in told)
    start = begin_with(config, dataset, device, source, model)
    side = dataset.train_images.shape[1]
    sharded = ShardedModel(start.model, workers, to_device(start.mean, device), to_device(start.std, device),
                           config.label_smoothing, config.seed, side, group, config.graph, start.sizes)
    if config.batch_size < group.size:
        raise UsageError(f"--batch-size is {config.batch_size}, and {group.size} processes share a batch: expected at "
                         "least one image for each")
    batches = Batches(dataset, config.batch_size, config.seed, config.augmentation(), device,
                      sharded.plan(config.batch_size).images)
    schedule = build_schedule(config, len(batches))
    optimizer = build_optimizer(config, start.model, workers)
    ema = optim.EMA(start.model.parameters(), config.ema) if config.ema else None
    about = {"model_name": start.name, "model": asdict(start.sizes), "class_names": dataset.class_names,
             "mean": start.mean.tolist(), "std": start.std.tolist(), "data": dataset.name, "side": side,
             "images": {name.removesuffix("_images"): len(array) for name, array in dataset.arrays.items()
                        if name.endswith("_images")},
             **({"own_model": told["own_model"]} if start.is_own else {})}
    origin = origin_of(config, settings_of(config, told), dataset, device, workers.compiled,
                       begun_as(out) if config.resume else None)
    state = TrainState(start.model, optimizer, ema, History(out, lock=held(out)))
    return Run(config, group, device, device_why, dataset, batches, sharded, schedule, state, about, told, start.said,
               origin, notes)


@dataclass(frozen=True)
class Start:
    """The model that a run starts with, on its device.

    Attributes
    ----------
    model : Module
    name : str
        What ``build`` calls it, or its class.
    is_own : bool
        Whether only its author's code can build it.
    sizes : Any
        A ModelConfig, and a dataclass.
    mean, std : array, shape (channels,)
        What pixels are normalized with, on the 0..1 scale.
    said : dict or None
        What config.json says of the model that it comes from.
    """

    model: Module
    name: str
    is_own: bool
    sizes: Any
    mean: Array
    std: Array
    said: dict[str, Any] | None = None


def begin_with(config: TrainConfig, dataset: Dataset, device: str, source: Source | None, own: Module | None) -> Start:
    """The model of a run: that of a source, the user's own, or a new one.  Raises UsageError if it does not fit."""
    side, channels = dataset.train_images.shape[1], dataset.train_images.shape[-1]
    mean, std = dataset.channel_statistics()                                                # (channels,)
    std = np.where(std > 0, std, 1).astype(np.float32)                                      # a channel of one color
    model: Module
    if source is not None:
        size = image_size(config, side, source.trained.sizes.image_size)
        model, said = source.model_for(dataset, size, dropout=config.dropout, stochastic_depth=config.stochastic_depth)
        return Start(model.to(device), config.model, False, model.config, source.trained.mean, source.trained.std, said)
    if own is None:
        model = build_model(config, dataset)
        return Start(model.to(device), config.model, False, model.config, mean, std)
    size = image_size(config, side, getattr(getattr(own, "config", None), "image_size", 0))
    if is_own(own):
        sizes = examine(own, size, channels, dataset.num_classes, device)
        return Start(own, type(own).__name__, True, sizes, mean, std)
    given = cast(Model, own).config
    if (given.image_size, given.in_channels, given.num_classes) != (size, channels, dataset.num_classes):
        raise UsageError(f"model= takes images of {given.image_size} pixels and {given.in_channels} channels in "
                         f"{given.num_classes} classes, {dataset.name} has {size}, {channels} and "
                         f"{dataset.num_classes}: build it with image_size={size}, in_channels={channels}, "
                         f"num_classes={dataset.num_classes}")
    return Start(own.to(device), nearest_name(given), False, given, mean, std)


def build_model(config: TrainConfig, dataset: Dataset) -> Model:
    """The model of a run at random weights, sized for the images and classes of the data set.  Raises UsageError."""
    _, side, _, channels = dataset.train_images.shape
    size = image_size(config, side)
    asked = {name: getattr(config, name) for name in ("patch_size", "dropout", "stochastic_depth")
             if getattr(config, name) and not (name == "patch_size" and config.model.startswith("convnet"))}
    if not (config.patch_size or dataset.name in KNOWN or "/" in config.model or config.model.startswith("convnet")):
        asked["patch_size"] = usual_patch(size, MODELS[config.model])
    try:
        return build(config.model, config.seed, image_size=size, in_channels=channels, num_classes=dataset.num_classes,
                     **asked)
    except ValueError as error:
        raise UsageError(f"{config.model} for {config.data}: {error}") from error


def build_schedule(config: TrainConfig, steps_per_epoch: int) -> optim.Schedule:
    """The learning rate at every step of a run; it knows how many steps there are."""
    epochs = config.epochs * steps_per_epoch
    total_steps = min(epochs, config.max_steps or epochs)
    return optim.Schedule(config.schedule, config.lr, total_steps, min(config.warmup_steps, total_steps // 5))


def build_optimizer(config: TrainConfig, model: Module, workers: Workers) -> optim.Optimizer:
    """The optimizer of a run; its rate is set before each step.  Raises UsageError."""
    shared: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay, "decay_vectors": False}
    if config.optimizer == "muon":
        try:
            return optim.Muon(model, map=workers.map, **shared)
        except ValueError as error:             # a model of one's own without hidden matrices
            raise UsageError(f"--optimizer muon: {error}") from error
    return {"adamw": optim.AdamW, "sgd": optim.SGD}[config.optimizer](model, **shared)


def with_possible_batch(config: TrainConfig, dataset: Dataset, own: bool) -> tuple[TrainConfig, list[str]]:
    """The configuration with a batch that the images fill, and a sentence if that is another one.

    Only a preset's batch for images of one's own is made smaller, to a quarter of them; a batch that the user asked for
    is refused.
    """
    count = len(dataset.train_images)
    if config.batch_size <= count:
        return config, []
    if not own or "batch_size" in config.unusual():
        raise UsageError(f"--batch-size is {config.batch_size}: expected 1..{count:,}, the number of training images "
                         f"of {dataset.name}")
    size = max(1, count // 4)
    return replace(config, batch_size=size, saved=True), [
        f"Batches of {size}, not {config.batch_size}: there are only {count} training images"]


def usual_patch(size: int, model: Any) -> int:
    """P for images of any side: the model's own if it makes its own number of patches, or what comes nearest to that.

    A Mixer for 32 pixels has 8 x 8 patches; so images of 64 pixels are cut into patches of 8, those of 28 into 4.
    """
    wanted = size * model.patch_size / model.image_size
    fits = [p for p in range(1, size + 1) if size % p == 0]
    return min(fits, key=lambda p: abs(math.log(p / wanted)))


def image_size(config: TrainConfig, side: int, trained_for: int = 0) -> int:
    """Side of the images that the model takes, if those of the data have this side.  Raises UsageError."""
    size = config.image_size or max(side, trained_for)
    if size < side:
        raise UsageError(f"--image-size is {size}: expected at least {side}, the side of the images of {config.data}")
    return size


def with_model_of_source(config: TrainConfig, source: Source | None) -> TrainConfig:
    """The configuration of a run that has a source, with the name of the source's model."""
    return config if source is None else replace(config, model=source.model_name, patch_size=None)
