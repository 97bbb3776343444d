"""``minimixer ship RUN``: turn a finished run into the files of a model that comes with the package.

Three files: the weights in float16, a JSON file with what was measured with exactly these weights, and the model card,
which is written from the JSON alone.  The same run gives the same bytes.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import tyro

from minimixer.commands.card import card
from minimixer.console import Computing, Threaded, parse
from minimixer.data.known import KNOWN
from minimixer.errors import OK, UsageError, command_line, flag
from minimixer.files import (
    FileRefusedError,
    check_replaceable,
    json_text,
    read_json,
    read_text,
    replacing,
    write_atomically,
)
from minimixer.nn import MlpMixer, Model
from minimixer.nn.pretrained import FOLDER
from minimixer.options import check, rules
from minimixer.text import printable
from minimixer.train import checkpoint
from minimixer.train.config import FREE, PRESETS, TrainConfig, is_unsaid
from minimixer.train.evaluate import evaluate
from minimixer.train.inputs import read_data
from minimixer.train.measured import tests_of
from minimixer.train.resume import read_metrics
from minimixer.train.run_folder import CONFIG, folder_name, read_config, told_in
from minimixer.train.settings import Data
from minimixer.train.trained import load_run
from minimixer.weights import WeightsError

MARK = "This card was written by `minimixer ship`"      # it stands in every card
Out = Annotated[Path, tyro.conf.arg(help_behavior_hint="")]         # the default is a path of this machine


@dataclass(frozen=True)
class Shipment(Threaded, Computing):
    """Options of ``minimixer ship``."""

    run: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]]
    """Folder of a finished run."""
    out: Out = FOLDER
    """Folder for the three files; by default the package's own."""
    title: str | None = None
    """Name of the data on the card, such as "CIFAR-10 (JPEG copy)"; by default the run's."""
    data_dir: Path | None = None
    """Folder that holds the data's files, or the .tar.gz; by default where the run found them."""


def main(arguments: Sequence[str]) -> int:
    """Write the files, print their accuracy, and return the exit code."""
    options = parse(Shipment, "ship", "Turn a finished run into a model of the package: weights and model card.",
                    arguments)
    facts = ship(options)
    print(f"{facts['name']}: accuracy {facts['accuracy']:.2%}, {facts['bytes']:,} bytes, into "
          f"{printable(options.out, None)}")
    return OK


def ship(options: Shipment) -> dict[str, Any]:
    """Write the files, and return what the JSON holds.

    Raises
    ------
    UsageError, FileRefusedError, RunError, CheckpointError, WeightsError, DataError
        If the run was not trained here to its end, or its data are not found.
    """
    trained = load_run(options.run)
    folder = trained.path.parent
    config, metrics = read_config(folder), read_metrics(folder)
    part, tests = tests_of(metrics)
    if config is None or not tests:
        raise UsageError(f"{options.run} holds no run that was trained here: the card needs its configuration and its "
                         "tests")
    if not isinstance(trained.model, MlpMixer):
        raise UsageError(f"{options.run} holds a {type(trained.model).__name__}: only Mixers come with the package")
    try:
        environment = read_json(folder / CONFIG)["environment"]
    except (OSError, FileRefusedError, KeyError) as error:
        raise UsageError(f"{folder / CONFIG} does not say what the run was made with ({printable(error)}): the card "
                         "needs its environment") from error
    check(SimpleNamespace(data=config.data, data_dir=options.data_dir), ["data_dir"], rules(Data))
    told = told_in(folder, "dataset")
    if told.get("given"):
        raise UsageError(f"{options.run} was trained on images given in Python: the card needs data that a command can "
                         "read again, so train with --data")
    dataset = read_data(replace(config, data_dir=options.data_dir or config.data_dir, saved=True),
                        trained.metadata["side"], told)
    name = folder_name(f"{dataset.name}-{config.model}")
    halve(trained.model)
    file = options.out / f"{name}.safetensors"
    check_ours(file)
    options.out.mkdir(parents=True, exist_ok=True)
    said = {key: value for key, value in trained.metadata.items() if key not in ("digest", "version")}
    with replacing(file) as unfinished:         # it takes its name last: a model without a card is never listed
        checkpoint.save(unfinished, trained.model, None, {**said, "data": dataset.name})
        measured = evaluate(load_run(unfinished), dataset, options.workers)
        facts = {
            "name": name, "bytes": unfinished.stat().st_size, "model": asdict(trained.model.config),
            "parameters": trained.model.num_parameters(), "data": options.title or dataset.name,
            "data_license": KNOWN[config.data].license if config.data in KNOWN else "not stated; the images are the "
            "author's to describe", "training_images": len(dataset.train_images),
            "command": command_of(config), "recipe": {field: value for field, value in asdict(config).items()
                                                      if field not in FREE and not is_unsaid(field, value)},
            "steps": metrics[-1]["step"], "epochs": metrics[-1]["epoch"], "seconds": metrics[-1]["seconds"],
            "environment": environment, "tests": len(tests),
            **({} if part == "test" else {"chosen_on": part}),
            **({} if config.data in KNOWN else {"known": False}), "last_accuracy": tests[-1][f"{part}_accuracy"],
            **{key: measured[key] for key in ("step", "images", "correct", "accuracy", "loss", "classes", "confusion")}}
        facts = json.loads(json_text(facts, default=str))           # as the JSON file will be read
        for suffix, text in ((".json", json_text(facts, indent=1) + "\n"), (".md", card(facts))):
            write_atomically(file.with_suffix(suffix), text.encode())
    return facts


def check_ours(file: Path) -> None:
    """Raise FileRefusedError if one of the three files exists and is none that ``ship`` wrote."""
    def is_shipped(path: Path) -> bool:
        arrays, said = checkpoint.read(path)
        return "data" in said and {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}

    check_replaceable(file, is_shipped, "ship")
    check_replaceable(file.with_suffix(".json"), lambda path: {"name", "recipe", "confusion"} <= {*read_json(path)},
                      "ship")
    check_replaceable(file.with_suffix(".md"), lambda path: MARK in read_text(path), "ship")


def halve(model: Model) -> None:
    """Round the parameters to float16, in place.  Raises WeightsError if one is too large for that."""
    for name, parameter in model.named_tensors():
        largest = float(np.abs(parameter.data).max(initial=0))
        if not largest <= float(np.finfo(np.float16).max):
            raise WeightsError(f"{name} holds {largest:g}, too large for float16: this model cannot be shipped")
        parameter.data = parameter.data.astype(np.float16)


def command_of(config: TrainConfig) -> str:
    """The shortest command that trains with this configuration: the nearest preset and the flags that differ."""
    def flags(preset: TrainConfig) -> list[Any]:
        different = [(f.name, getattr(config, f.name)) for f in fields(TrainConfig)
                     if f.name not in FREE and getattr(config, f.name) != getattr(preset, f.name)]
        return [word for name, value in different for word in
                ([flag(name if value else f"no_{name}")] if isinstance(value, bool) else [flag(name), value])]

    name = min(PRESETS, key=lambda preset: len(flags(PRESETS[preset])))
    return command_line("minimixer", "train", name, *flags(PRESETS[name]))
