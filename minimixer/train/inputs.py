"""The images and the model of a run, if its configuration does not name them: read, described, recognized again."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from minimixer import data
from minimixer.data import DataError, Dataset
from minimixer.data.known import KNOWN
from minimixer.errors import UsageError
from minimixer.nn import Module
from minimixer.options import Rule, check
from minimixer.text import printable
from minimixer.train.config import TrainConfig
from minimixer.train.own_model import describe
from minimixer.train.run_folder import told_in

NOT_WITH_DATASET = Rule(("data", "data_dir", "download", "classes", "validation", "test_share"),
                        lambda given: given.dataset is not None,
                        "with dataset= (the images are those)", "leave out dataset=")
NOT_WITH_MODEL = Rule(("model", "patch_size", "init_from", "dropout", "stochastic_depth"),
                      lambda given: given.module is not None,
                      "with model= (it is trained as it is)", "leave out model=")


def check_inputs(config: TrainConfig, dataset: Dataset | None, model: Module | None) -> None:
    """Raise UsageError for settings that a given data set or model leaves without effect, DataError for bad data."""
    check(SimpleNamespace(**vars(config), dataset=dataset, module=model), config.unusual(),
          [NOT_WITH_DATASET, NOT_WITH_MODEL])
    if not (model is None or isinstance(model, Module)):
        raise UsageError(f"model is a {type(model).__name__}: expected a Module that maps images (B, H, W, channels) "
                         "to logits (B, classes)")
    if dataset is not None:
        if not isinstance(dataset, Dataset):
            raise UsageError(f"dataset is a {type(dataset).__name__}: expected what mm.data.load, from_folder or "
                             "from_arrays returns")
        dataset.check()


def read_data(config: TrainConfig, image_size: int = 0, told: Mapping[str, Any] | None = None) -> Dataset:
    """The data set that a configuration names.

    Parameters
    ----------
    config : TrainConfig
    image_size : int
        Side to which images from files are fitted, unless the configuration has one; 0 for any.
    told : mapping, optional
        What config.json says of the images of a run: where they were, should they not be where the configuration says,
        seen from here.

    Raises
    ------
    DataError
        If it is missing or damaged.
    UsageError
        If a setting does not fit it.
    """
    name, source = config.data, config.data
    if name not in KNOWN and not Path(source).exists() and told:
        source = told.get("source") or source
        if not Path(source).exists():
            raise DataError(f"the run was trained on {printable(source, None)}, which is not there any more: name its "
                            "new place with --data (the same images and classes are recognized)")
    return data.load(source, data_dir=config.data_dir, download=config.download,
                     image_size=None if name in KNOWN else config.image_size or image_size or None,
                     classes=config.classes, validation=config.validation, test_share=config.test_share,
                     quiet=bool(told))          # a run has said it before


def tell_of(config: TrainConfig, dataset: Dataset, given: bool, model: Module | None) -> dict[str, Any]:
    """What config.json says of images of one's own, and of a model of one's own; nothing of those that it names."""
    told: dict[str, Any] = {}
    if given or config.data not in KNOWN:
        source = None if dataset.source is None else str(Path(dataset.source).absolute())
        told["dataset"] = {"name": dataset.name, "source": source, "given": given, "digest": dataset.digest(),
                           "class_names": dataset.class_names}
    if model is not None:
        told["own_model"] = describe(model)
    return told


def check_same(out: Path, dataset: Dataset | None, model: Module | None) -> None:
    """Raise UsageError if a run goes on without what it was given when it began, or with another model."""
    told, shown = told_in(out, "dataset"), printable(out, None)
    if told.get("given") and dataset is None:
        raise UsageError(f"{shown} was trained on images given in Python ({printable(told.get('name'))}): go on there, "
                         "and pass them again: fit(config, dataset=...)")
    told = told_in(out, "own_model")
    now = {} if model is None else describe(model)
    if told and not now:
        raise UsageError(f"{shown} trains a {printable(told.get('class'))}, a Module of your own, which only your code "
                         "can build: go on in Python, and pass it again: fit(config, model=...)")
    if now and not told:
        raise UsageError(f"{shown} trains the model that its configuration names: resume it without model=")
    if now and told != now:
        raise UsageError(f"model= is a {now['class']} with other layers or parameters than the "
                         f"{printable(told.get('class'))} that {shown} was begun with: pass that one, or begin anew in "
                         "another folder")


def named(config: TrainConfig, dataset: Dataset | None, model: Module | None) -> str:
    """The name of a new run: its data, and its model."""
    known = config.data if config.data in KNOWN else Path(config.data).absolute().name
    return f"{known if dataset is None else dataset.name}-{config.model if model is None else type(model).__name__}"


def settings_of(config: TrainConfig, told: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run as its checkpoints state them: images are recognized by their digest, not by a path."""
    settings = asdict(config)
    if "dataset" in told:
        settings["data"] = "images of your own"
    if "own_model" in told:
        settings["model"] = told["own_model"]["class"]
    return settings

