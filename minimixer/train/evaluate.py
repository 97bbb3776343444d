"""How well a trained model does on the test images, class by class."""

import time
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.data import Dataset
from minimixer.errors import UsageError, nearest
from minimixer.parallel.step import score
from minimixer.text import printable
from minimixer.train.report import confusion_matrix
from minimixer.train.trained import Trained

PARTS = {"test": "test images", "validation": "validation images", "train": "training images", "all": "images"}


def evaluate(trained: Trained, dataset: Dataset, workers: int | None = None, part: str = "test") -> dict[str, Any]:
    """Loss in nats and accuracy in 0..1 on the images of one part of a data set, in all and for each class.

    Parameters
    ----------
    trained : Trained
    dataset : Dataset
        With the classes of the model, in its order.
    workers : int, optional
        Threads; by default one per physical core.
    part : "test", "validation", "train" or "all"

    Returns
    -------
    dict
        ``confusion`` counts the answers: one row per true class, one column per predicted class.

    Raises
    ------
    UsageError
        If there is no such part, or the classes are others.
    """
    if dataset.class_names != trained.class_names:
        raise UsageError(f"{dataset.name} has the classes {_some(dataset.class_names)}, the model knows "
                         f"{_some(trained.class_names)}: expected the same, in the same order")
    start = time.perf_counter()
    images, labels = _part(dataset, part)
    logits = trained.logits(images, workers)                                                # (N, K)
    seconds = time.perf_counter() - start
    loss, accuracy = score(logits, labels)
    confusion = confusion_matrix(labels, logits.argmax(1), dataset.num_classes)             # (K, K)
    correct = confusion.diagonal()                                                          # (K,)
    wrong = confusion - np.diag(correct)                                                    # (K, K)
    classes = [{"class": name, "images": int(row.sum()), "correct": int(right),
                "accuracy": float(right / row.sum()) if row.sum() else None,
                "most_often_taken_for": dataset.class_names[errors.argmax()] if errors.any() else None,
                "times": int(errors.max())}
               for name, row, errors, right in zip(dataset.class_names, confusion, wrong, correct, strict=True)]
    return {"checkpoint": str(trained.path), "step": trained.metadata.get("step"), "data": dataset.name,
            "part": part, "images": len(labels), "loss": loss, "accuracy": accuracy,
            "correct": int(correct.sum()), "seconds": round(seconds, 3), "classes": classes,
            "confusion": confusion.tolist()}


def _part(dataset: Dataset, part: str) -> tuple[Array, Array]:
    """Images (N, H, W, channels) and labels (N,) of one part, or of all.  Raises UsageError."""
    if part not in PARTS:
        raise UsageError(f"part is {part!r}; {nearest(part, PARTS)}")
    if part == "validation" and dataset.validation_images is None:
        raise UsageError(f"{dataset.name} has no validation part: choose another one")
    arrays = dataset.arrays
    if part == "all":
        images, labels = ([array for name, array in arrays.items() if name.endswith(kind)]
                          for kind in ("images", "labels"))
        return np.concatenate(images), np.concatenate(labels)
    return arrays[f"{part}_images"], arrays[f"{part}_labels"]


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(printable(name, 40) for name in names[:3]) + (", ..." if len(names) > 3 else "")
