"""Where a run starts: at random weights, or, with ``--init-from``, at those of another run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from minimixer.backend import Array
from minimixer.data import Dataset
from minimixer.errors import UsageError
from minimixer.nn import MODELS, MixerConfig, Model
from minimixer.train.checkpoint import CheckpointError
from minimixer.train.config import ModelName, TrainConfig
from minimixer.train.folder import CONFIG
from minimixer.train.resume import LAST
from minimixer.train.setup import build_model, picture_size
from minimixer.train.trained import Trained, load_run
from minimixer.weights import adapt


def start(config: TrainConfig, dataset: Dataset,
          model: Model | None = None) -> tuple[Model, Array, Array, dict[str, Any] | None]:
    """The model that a run starts with, and how it wants its pixels.

    The weights of a source were made for pixels on its own scale (-1..1 for the official ones), so its mean and
    standard deviation go with them; otherwise they are those of the data set.

    Parameters
    ----------
    config : TrainConfig
    dataset : Dataset
    model : Model, optional
        Takes the place of the one that the configuration names.

    Returns
    -------
    model : Model
        On the CPU.
    mean, std : array of float32, shape (channels,)
        On the 0..1 scale.
    source : dict or None
        What config.json says of the source: its name, its step and what was changed.

    Raises
    ------
    UsageError, CheckpointError, WeightsError
        If the source is missing or damaged, or does not fit the pictures.
    """
    trained = _trained(config)
    if trained is None:
        return model or build_model(config, dataset), *dataset.channel_statistics(), None
    _, side, _, channels = dataset.train_images.shape
    old = trained.model.config
    if channels != old.in_channels:
        raise UsageError(f"--init-from {config.init_from}: its pictures have {old.in_channels} colours a pixel, those "
                         f"of {config.data} {channels}: choose other data or another source")
    changes = {name: value for name in ("dropout", "stochastic_depth")
               if (value := getattr(config, name)) or hasattr(old, name)}
    try:
        model, notes = adapt(trained.model, image_size=picture_size(config, side, old.image_size),
                             num_classes=dataset.num_classes, new_head=dataset.class_names != trained.class_names,
                             source=f"--init-from {config.init_from}", **changes)
    except TypeError as error:              # a field that its config does not have
        raise UsageError(f"--init-from {config.init_from} holds a {type(trained.model).__name__}: {error}") from error
    source = {"init_from": str(config.init_from), "step": trained.metadata.get("step"), "changes": notes}
    return model, trained.mean, trained.std, _said_before(config) or source


def with_model_of_source(config: TrainConfig) -> TrainConfig:
    """The configuration of a run that has a source, with the name of the source's model.  Raises as ``start``."""
    trained = _trained(config)
    return config if trained is None else replace(config, model=_name(trained), patch_size=None)


def _trained(config: TrainConfig) -> Trained | None:
    """The source of a run, if it has one; a run that goes on is its own source, should the first be gone."""
    if config.init_from is None:
        return None
    if (last := _last(config)) is not None:
        return load_run(last)
    try:
        return load_run(config.init_from)
    except CheckpointError as error:
        advice = "; official files and timm's go through minimixer import first" if config.init_from.is_file() else ""
        raise CheckpointError(f"--init-from: {error}{advice}") from error


def _last(config: TrainConfig) -> Path | None:
    """The checkpoint of a run that goes on."""
    last = config.out / LAST if config.resume and config.out is not None else None
    return last if last is not None and last.is_file() else None


def _said_before(config: TrainConfig) -> dict[str, Any] | None:
    """What the config.json of a run that goes on says of its source."""
    if (last := _last(config)) is None:
        return None
    try:
        said = json.loads(last.with_name(CONFIG).read_text())["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return said if isinstance(said, dict) else None


def _name(trained: Trained) -> ModelName:
    """What a run of the source's model is called: imported weights have no name, but mostly the sizes of one."""
    if "model_name" in trained.metadata:
        return cast(ModelName, trained.metadata["model_name"])
    body = ("patch_size", "hidden_dim", "num_blocks", "channels_mlp_dim")
    sizes = [getattr(trained.model.config, field) for field in body]
    same = [name for name, known in MODELS.items()
            if isinstance(known, MixerConfig) and [getattr(known, field) for field in body] == sizes]
    # The name decides the kind of the model only: its sizes are stated.
    return cast(ModelName, same[0]) if same else "micro"
