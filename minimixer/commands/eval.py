"""``minimixer eval RUN``: loss and accuracy of a trained model on the test images, class by class."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from minimixer.backend import choose_device
from minimixer.console import Computing, OnDevice, parse, show, table
from minimixer.data import Dataset
from minimixer.data.known import KNOWN
from minimixer.errors import OK, UsageError, nearest
from minimixer.files import FileRefusedError, json_text, read_json
from minimixer.nn import list_pretrained
from minimixer.options import check, rules
from minimixer.text import printable
from minimixer.train.config import TrainConfig
from minimixer.train.evaluate import PARTS, evaluate
from minimixer.train.inputs import read_data
from minimixer.train.run_folder import CONFIG
from minimixer.train.settings import Data
from minimixer.train.trained import Trained, load_run

DATA_OPTIONS = ("data_dir", "download", "test_share")
SPLIT = ("classes", "validation", "test_share")


@dataclass(frozen=True)
class Evaluation(OnDevice, Computing):
    """Options of ``minimixer eval``."""

    run: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]]
    """A run folder, one of its .safetensors files, or cifar10-micro, which comes with minimixer."""
    data: str | None = None
    """Data set, or the path of your own images; by default the one the run was trained on."""
    part: Literal["test", "validation", "train", "all"] = "test"
    """Which of its images; all of them are for images that the run was not trained on."""
    test_share: float | None = None
    """Share of the images of --data PATH that is the test part, if they are not divided; by default as in training."""
    data_dir: Path | None = None
    """Folder that holds the files of a known data set; by default where the run found them."""
    download: bool = False
    """Download the data set if it is not found."""
    json: bool = False
    """Print one JSON object instead of a table."""


def main(arguments: Sequence[str]) -> int:
    """Test the model, print the result, and return the exit code."""
    options = parse(Evaluation, "eval", "Test a trained model: loss and accuracy on the test images, class by class.",
                    arguments)
    trained = load_run(options.run, choose_device(options.device)[0])
    result = evaluate(trained, find_data(options, trained), options.workers, options.part)
    if options.json:
        print(json_text(result))
    else:
        report(result)
    return OK


def find_data(options: Evaluation, trained: Trained) -> Dataset:
    """The data set to test on, with the classes of the model.  Raises DataError or UsageError."""
    config, told = data_of(options, trained)
    check(SimpleNamespace(data=config.data, **{name: getattr(options, name) for name in DATA_OPTIONS}), DATA_OPTIONS,
          [*rules(Data)])
    side = trained.metadata.get("side", trained.sizes.image_size)
    dataset = read_data(config, side, told)
    if told.get("digest") not in (None, dataset.digest()) and options.data is None:
        print("minimixer eval: the images or their classes have changed since the run was trained: some of these test "
              "images may have been training images", file=sys.stderr)
    return fitted(dataset, trained)


def data_of(options: Evaluation, trained: Trained) -> tuple[TrainConfig, dict[str, Any]]:
    """Settings that name the data, and what the run says of them.  Raises UsageError if nothing says which it is."""
    asked = {name: value for name in ("data", "data_dir", "download", "test_share")
             if (value := getattr(options, name)) not in (None, False)}
    if options.data is not None:
        return TrainConfig(**asked, saved=True), {}
    if trained.path in list_pretrained().values() and trained.metadata["data"] in KNOWN:
        return TrainConfig(data=trained.metadata["data"], **asked, saved=True), {}
    folder = trained.path.parent
    file = folder / CONFIG
    if not os.path.lexists(file):
        raise UsageError(f"there is no {CONFIG} beside {trained.path}: name the data set with --data")
    try:
        content = read_json(file)
        config, told = content["config"], content.get("dataset") or {}
        names = {name: config[name] for name in ("data", "data_dir", *SPLIT) if name in config}
        if not told and names["data"] not in KNOWN:
            raise UsageError(f"{file} names an unknown data set {names['data']!r}; {nearest(names['data'], KNOWN)}")
        if told.get("given") and not told.get("source"):
            raise UsageError(f"{folder} was trained on images given in Python ({printable(told.get('name'))}): name "
                             "their folder or file with --data, or call mm.train.evaluate there")
        if told.get("given"):
            names = {"data": told["source"]}
        if (before := names.get("data_dir")) and not Path(before).exists():
            names["data_dir"] = None
        return TrainConfig(**{**names, **asked}, saved=True), told
    except UsageError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, FileRefusedError) as error:
        raise UsageError(f"{file} cannot be read ({printable(error)}): name the data set with --data") from error


def fitted(dataset: Dataset, trained: Trained) -> Dataset:
    """The data set with the class numbers of the model, which may know more classes.  Raises UsageError."""
    sizes, shape = trained.sizes, dataset.test_images.shape[1:]
    sides = (sizes.image_size, trained.metadata.get("side"))    # the training may have enlarged smaller images
    knows = set(dataset.class_names) <= set(trained.class_names)
    if shape[0] not in sides or shape[2] != sizes.in_channels or not knows:
        takes = sizes.image_size, sizes.image_size, sizes.in_channels
        raise UsageError(f"the model takes images of shape {takes} in {len(trained.class_names)} classes "
                         f"({trained.class_names[0]}, ...), {dataset.name} has {shape} in {dataset.num_classes} "
                         f"({dataset.class_names[0]}, ...): choose the data set it was trained on")
    if dataset.class_names == trained.class_names:
        return dataset
    numbers = np.array([trained.class_names.index(name) for name in dataset.class_names])
    labels: dict[str, Any] = {name: numbers[array] for name, array in dataset.arrays.items() if name.endswith("labels")}
    return replace(dataset, class_names=trained.class_names, **labels)


def report(result: dict[str, Any]) -> None:
    """Print the result as text and a table."""
    print(printable(f"{result['checkpoint']}, step {result['step']}, on {result['images']:,} "
                    f"{PARTS[result['part']]} of {result['data']}", None))
    print(f"loss {result['loss']:.4f} nats, accuracy {result['accuracy']:.2%} ({result['correct']:,} of "
          f"{result['images']:,}), {result['seconds']:.2f} s\n")
    rows = table("class", ">images", ">correct", ">accuracy", "most often taken for")
    for row in result["classes"]:
        rows.add_row(row["class"], f"{row['images']:,}", f"{row['correct']:,}",
                     f"{row['accuracy']:.1%}" if row["images"] else "",
                     f"{row['most_often_taken_for']} ({row['times']})" if row["times"] else "")
    show(rows)
