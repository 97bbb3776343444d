"""``minimixer eval RUN``: how well a run's model does on the test pictures, class by class."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from minimixer.backend import choose_device
from minimixer.console import Computing, at_least, parse, show, table
from minimixer.data import Dataset
from minimixer.data.known import KNOWN, Name, load
from minimixer.errors import OK, UsageError, nearest, run_command
from minimixer.nn import shipped
from minimixer.parallel import score
from minimixer.train.report import confusion_matrix
from minimixer.train.trained import Trained, load_run


@dataclass(frozen=True)
class Evaluation(Computing):
    """What ``minimixer eval`` measures."""

    run: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]]
    """Run folder, a .safetensors file of one, or cifar10-micro, which comes with minimixer."""
    data: Name | None = None
    """Data set; by default the one that the run was trained on."""
    data_dir: Path | None = None
    """Where its files are; by default where the run found them."""
    download: bool = False
    """Fetch the data set if it is not found."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Auto takes the GPU if there is one."""
    workers: int | None = None
    """Threads; by default one a physical core."""
    json: bool = False
    """Print one JSON object instead of tables."""

    def __post_init__(self) -> None:
        at_least(1, workers=self.workers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate as the command line says, and return the exit code."""
    def command() -> int:
        options = parse(Evaluation, "eval", "Loss and accuracy of a run's model on the test pictures.", arguments)
        trained = load_run(options.run, choose_device(options.device)[0])
        result = evaluate(trained, find_data(options, trained), options.workers)
        if options.json:
            print(json.dumps(result))
        else:
            report(result)
        return OK

    return run_command("eval", command)


def find_data(options: Evaluation, trained: Trained) -> Dataset:
    """The data set to test on.  Raises DataError or UsageError."""
    name, data_dir = options.data, options.data_dir
    if name is None and trained.path in shipped().values():
        name = trained.metadata["data"]
    if name is None:
        file = trained.path.parent / "config.json"
        if not file.is_file():
            raise UsageError(f"there is no config.json beside {trained.path}: name the data set with --data")
        try:
            config = json.loads(file.read_text())["config"]
            name, before = config["data"], config.get("data_dir")
            data_dir = data_dir or (Path(before) if before and Path(before).exists() else None)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{file} cannot be read ({error}): name the data set with --data") from error
        if name not in KNOWN:
            raise UsageError(f"{file} names a data set {name!r} that is not known; {nearest(str(name), KNOWN)}")
    dataset = load(name, data_dir, options.download)
    shape = (c := trained.model.config).image_size, c.image_size, c.in_channels
    sides = (c.image_size, trained.metadata.get("side"))                    # its training may have enlarged them
    _, side, _, channels = dataset.test_images.shape
    if side not in sides or channels != c.in_channels or dataset.class_names != trained.class_names:
        raise UsageError(f"the model takes pictures of shape {shape} in {len(trained.class_names)} classes "
                         f"({trained.class_names[0]}, ...), {name} has {dataset.test_images.shape[1:]} in "
                         f"{dataset.num_classes} ({dataset.class_names[0]}, ...): choose the data set that it was "
                         "trained on")
    return dataset


def evaluate(trained: Trained, dataset: Dataset, workers: int | None = None) -> dict[str, Any]:
    """Loss in nats and accuracy in 0..1 on the test pictures, and for every class what became of its pictures.

    ``confusion`` counts them: row the true class, column the predicted one.
    """
    start = time.perf_counter()
    logits, labels = trained.logits(dataset.test_images, workers), dataset.test_labels
    seconds = time.perf_counter() - start
    loss, accuracy = score(logits, labels)
    confusion = confusion_matrix(labels, logits.argmax(1), dataset.num_classes)
    correct = confusion.diagonal()                                                  # (classes,)
    wrong = confusion - np.diag(correct)
    classes = [{"class": name, "pictures": int(row.sum()), "correct": int(right),
                "accuracy": float(right / row.sum()) if row.sum() else None,
                "most_often_taken_for": dataset.class_names[errors.argmax()] if errors.any() else None,
                "times": int(errors.max())}
               for name, row, errors, right in zip(dataset.class_names, confusion, wrong, correct, strict=True)]
    return {"checkpoint": str(trained.path), "step": trained.metadata.get("step"), "data": dataset.name,
            "pictures": len(labels), "loss": loss, "accuracy": accuracy,
            "correct": int(correct.sum()), "seconds": round(seconds, 3), "classes": classes,
            "confusion": confusion.tolist()}


def report(result: dict[str, Any]) -> None:
    """The result for people."""
    print(f"{result['checkpoint']}, step {result['step']}, on {result['pictures']:,} test pictures of {result['data']}")
    print(f"loss {result['loss']:.4f} nats, accuracy {result['accuracy']:.2%} ({result['correct']:,} of "
          f"{result['pictures']:,}), {result['seconds']:.2f} s\n")
    rows = table("class", ">pictures", ">correct", ">accuracy", "most often taken for")
    for row in result["classes"]:
        rows.add_row(row["class"], f"{row['pictures']:,}", f"{row['correct']:,}",
                     f"{row['accuracy']:.1%}" if row["pictures"] else "",
                     f"{row['most_often_taken_for']} ({row['times']})" if row["times"] else "")
    show(rows)


if __name__ == "__main__":
    sys.exit(main())
