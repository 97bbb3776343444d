"""How well a trained model does on the test images, class by class."""

import time
from typing import Any

import numpy as np

from minimixer.data import Dataset
from minimixer.parallel.step import score
from minimixer.train.report import confusion_matrix
from minimixer.train.trained import Trained


def evaluate(trained: Trained, dataset: Dataset, workers: int | None = None) -> dict[str, Any]:
    """Loss in nats and accuracy in 0..1 on the test images, in all and for each class.

    ``confusion`` counts the answers: one row per true class, one column per predicted class.
    """
    start = time.perf_counter()
    logits, labels = trained.logits(dataset.test_images, workers), dataset.test_labels      # (N, K), (N,)
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
            "images": len(labels), "loss": loss, "accuracy": accuracy,
            "correct": int(correct.sum()), "seconds": round(seconds, 3), "classes": classes,
            "confusion": confusion.tolist()}
