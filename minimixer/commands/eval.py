"""``minimixer eval RUN``: loss and accuracy of a trained model on the test images, class by class."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import tyro

from minimixer.backend import choose_device
from minimixer.console import Computing, OnDevice, parse, show, table
from minimixer.data import Dataset
from minimixer.data.known import KNOWN, Name, load
from minimixer.errors import OK, UsageError, nearest
from minimixer.files import json_text, read_json
from minimixer.nn import list_pretrained
from minimixer.options import INCLUDED, check
from minimixer.text import printable
from minimixer.train.evaluate import evaluate
from minimixer.train.trained import Trained, load_run


@dataclass(frozen=True)
class Evaluation(OnDevice, Computing):
    """Options of ``minimixer eval``."""

    run: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]]
    """A run folder, one of its .safetensors files, or cifar10-micro, which comes with minimixer."""
    data: Name | None = None
    """Data set; by default the one the run was trained on."""
    data_dir: Path | None = None
    """Folder that holds its files, or the .tar.gz; by default where the run found them."""
    download: bool = False
    """Download the data set if it is not found."""
    json: bool = False
    """Print one JSON object instead of a table."""


def main(arguments: Sequence[str]) -> int:
    """Test the model, print the result, and return the exit code."""
    options = parse(Evaluation, "eval", "Test a trained model: loss and accuracy on the test images, class by class.",
                    arguments)
    trained = load_run(options.run, choose_device(options.device)[0])
    result = evaluate(trained, find_data(options, trained), options.workers)
    if options.json:
        print(json_text(result))
    else:
        report(result)
    return OK


def find_data(options: Evaluation, trained: Trained) -> Dataset:
    """The data set to test on.  Raises DataError or UsageError."""
    name, data_dir = options.data, options.data_dir
    if name is None and trained.path in list_pretrained().values():
        name = trained.metadata["data"]
    if name is None:
        file = trained.path.parent / "config.json"
        if not os.path.lexists(file):
            raise UsageError(f"there is no config.json beside {trained.path}: name the data set with --data")
        try:
            config = read_json(file)["config"]
            name, before = config["data"], config.get("data_dir")
            data_dir = data_dir or (Path(before) if before and Path(before).exists() else None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{file} cannot be read ({printable(error)}): name the data set with --data") from error
        if name not in KNOWN:
            raise UsageError(f"{file} names an unknown data set {name!r}; {nearest(str(name), KNOWN)}")
    check(SimpleNamespace(data=name, **{key: getattr(options, key) for key in INCLUDED.options}), INCLUDED.options,
          [INCLUDED])
    dataset = load(name, data_dir, options.download)
    shape = (c := trained.model.config).image_size, c.image_size, c.in_channels
    sides = (c.image_size, trained.metadata.get("side"))        # the training may have enlarged smaller images
    _, side, _, channels = dataset.test_images.shape
    if side not in sides or channels != c.in_channels or dataset.class_names != trained.class_names:
        raise UsageError(f"the model takes images of shape {shape} in {len(trained.class_names)} classes "
                         f"({trained.class_names[0]}, ...), {name} has {dataset.test_images.shape[1:]} in "
                         f"{dataset.num_classes} ({dataset.class_names[0]}, ...): choose the data set it was "
                         "trained on")
    return dataset


def report(result: dict[str, Any]) -> None:
    """Print the result as text and a table."""
    print(printable(f"{result['checkpoint']}, step {result['step']}, on {result['images']:,} test images of "
                    f"{result['data']}", None))
    print(f"loss {result['loss']:.4f} nats, accuracy {result['accuracy']:.2%} ({result['correct']:,} of "
          f"{result['images']:,}), {result['seconds']:.2f} s\n")
    rows = table("class", ">images", ">correct", ">accuracy", "most often taken for")
    for row in result["classes"]:
        rows.add_row(row["class"], f"{row['images']:,}", f"{row['correct']:,}",
                     f"{row['accuracy']:.1%}" if row["images"] else "",
                     f"{row['most_often_taken_for']} ({row['times']})" if row["times"] else "")
    show(rows)
