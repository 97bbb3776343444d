"""Which part of the data a number of metrics.jsonl is of, and how large the parts are."""

from collections.abc import Iterable, Mapping
from typing import Any

from minimixer.data import Dataset

PARTS = ("validation", "test")


def tests_of(metrics: Iterable[Mapping[str, Any]]) -> tuple[str, list[Mapping[str, Any]]]:
    """The part of the data that the weights of a run were chosen by, and its lines: one per test.

    That is "validation" in a run that has validation images, and "test" in every other.
    """
    lines = list(metrics)
    for part in PARTS:
        if found := [line for line in lines if f"{part}_accuracy" in line]:
            return part, found
    return "test", []


def last_test(metrics: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The last line with the accuracy of the test images; None if they were not looked at yet."""
    return next((line for line in reversed(list(metrics)) if "test_accuracy" in line), None)


def best_of(metrics: Iterable[Mapping[str, Any]]) -> str:
    """The best accuracy, when it was reached, and the images that chose it; there must be a test."""
    part, tests = tests_of(metrics)
    name = f"{part}_accuracy"
    best = max(tests, key=lambda line: (line[name], -line[f"{part}_loss"]))     # as History.would_be_best
    chosen = f", chosen by {len(tests):,} tests on the same {part} images" if len(tests) > 1 else ""
    return f"{best[name]:.2%} after epoch {best['epoch']:g}{chosen}"


def counted(dataset: Dataset) -> str:
    """How many images each part of a data set has."""
    check = "" if dataset.validation_images is None else f", {len(dataset.validation_images):,} validation"
    return f"{len(dataset.train_images):,} training{check} and {len(dataset.test_images):,} test images"
