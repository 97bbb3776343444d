"""Builds everything that a run works with from its configuration, and hands each part only what it needs."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from minimixer import optim
from minimixer.backend import choose_device, to_device
from minimixer.data import Batches, Dataset, known
from minimixer.errors import UsageError
from minimixer.nn import Model, build
from minimixer.parallel.group import Group
from minimixer.parallel.step import ShardedModel
from minimixer.parallel.workers import Workers
from minimixer.train.config import FREE, TrainConfig
from minimixer.train.lock import held
from minimixer.train.origin import origin_of
from minimixer.train.run_folder import begun_as
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
    total_steps : int
    state : TrainState
    about : dict
        What a checkpoint must say so that its weights can be used.
    source : dict or None
        What config.json says of the model that the run starts from.
    origin : dict
        What last.safetensors says so that it is not taken for another run's, see ``origin.py``.
    """

    config: TrainConfig
    group: Group
    device: str
    device_why: str
    dataset: Dataset
    batches: Batches
    sharded: ShardedModel
    schedule: optim.Schedule
    total_steps: int
    state: TrainState
    about: dict[str, Any]
    source: dict[str, Any] | None
    origin: dict[str, Any]

    @property
    def epoch(self) -> float:
        """Passes over the training images so far."""
        return self.state.step / len(self.batches)


def initialize(config: TrainConfig, workers: Workers, group: Group | None = None, source: Source | None = None,
               out: Path = Path(), *, dataset: Dataset | None = None, model: Model | None = None) -> Run:
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
        Replace those that the configuration names, for experiments.

    Raises
    ------
    MinimixerError
        DataError, DeviceError, WeightsError or UsageError, if something is missing or does not fit.
    """
    group = group or Group()
    device, device_why = choose_device(config.device)
    group.use(device)
    group.check_equal("settings", repr({name: value for name, value in asdict(config).items() if name not in FREE}))
    given = dataset
    dataset = group.load(lambda: given or known.load(config.data, config.data_dir, config.download))
    side = dataset.train_images.shape[1]
    said = None
    if source is not None:
        size = image_size(config, side, source.trained.model.config.image_size)
        model, said = source.model_for(dataset, size, dropout=config.dropout, stochastic_depth=config.stochastic_depth)
        mean, std = source.trained.mean, source.trained.std                                 # (channels,)
    else:
        model = model or build_model(config, dataset)
        mean, std = dataset.channel_statistics()                                            # (channels,)
    model.to(device)
    sharded = ShardedModel(model, workers, to_device(mean, device), to_device(std, device), config.label_smoothing,
                           config.seed, side, group, config.graph)
    if config.batch_size < group.size:
        raise UsageError(f"--batch-size is {config.batch_size}, and {group.size} processes share a batch: expected at "
                         "least one image for each")
    batches = Batches(dataset, config.batch_size, config.seed, config.augmentation(), device,
                      sharded.plan(config.batch_size).images)
    total_steps = min(config.epochs * len(batches), config.max_steps or config.epochs * len(batches))
    schedule = optim.Schedule(config.schedule, config.lr, total_steps, min(config.warmup_steps, total_steps // 5))
    optimizer = build_optimizer(config, model, workers)
    ema = optim.EMA(model.parameters(), config.ema) if config.ema else None
    about = {"model_name": config.model, "model": asdict(model.config), "class_names": dataset.class_names,
             "mean": mean.tolist(), "std": std.tolist(), "data": config.data, "side": side}
    origin = origin_of(config, dataset, device, workers.compiled, begun_as(out) if config.resume else None)
    return Run(config, group, device, device_why, dataset, batches, sharded, schedule, total_steps,
               TrainState(model, optimizer, ema, History(out, lock=held(out))), about, said, origin)


def build_model(config: TrainConfig, dataset: Dataset) -> Model:
    """The model of a run at random weights, sized for the images and classes of the data set.  Raises UsageError."""
    _, side, _, channels = dataset.train_images.shape
    size = image_size(config, side)
    asked = {name: getattr(config, name) for name in ("patch_size", "dropout", "stochastic_depth")
             if getattr(config, name) and not (name == "patch_size" and config.model.startswith("convnet"))}
    try:
        return build(config.model, config.seed, image_size=size, in_channels=channels, num_classes=dataset.num_classes,
                     **asked)
    except ValueError as error:
        raise UsageError(f"{config.model} for {config.data}: {error}") from error


def build_optimizer(config: TrainConfig, model: Model, workers: Workers) -> optim.Optimizer:
    """The optimizer of a run; its rate is set before each step."""
    shared: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay, "decay_vectors": False}
    if config.optimizer == "muon":
        return optim.Muon(model, map=workers.map, **shared)
    kind = {"adamw": optim.AdamW, "sgd": optim.SGD}[config.optimizer]
    return kind(model.parameters(), **shared)


def image_size(config: TrainConfig, side: int, trained_for: int = 0) -> int:
    """Side of the images that the model takes, if those of the data have this side.  Raises UsageError."""
    size = config.image_size or max(side, trained_for)
    if size < side:
        raise UsageError(f"--image-size is {size}: expected at least {side}, the side of the images of {config.data}")
    return size


def with_model_of_source(config: TrainConfig, source: Source | None) -> TrainConfig:
    """The configuration of a run that has a source, with the name of the source's model."""
    return config if source is None else replace(config, model=source.model_name, patch_size=None)
