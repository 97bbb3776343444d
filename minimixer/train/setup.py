"""What a run is made of: its model, the history it leaves, and how signals reach it."""

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minimixer.data import Dataset
from minimixer.errors import DIVERGED, MinimixerError, UsageError
from minimixer.nn import Model, build
from minimixer.train.config import TrainConfig


class RunError(MinimixerError):
    """A run cannot start or go on; the message says why and what to do."""


class DivergedError(RunError):
    """The loss is no longer a finite number."""

    exit_code = DIVERGED


@dataclass
class History:
    """What a run has measured.

    Attributes
    ----------
    out : Path
        The run folder.
    metrics : list of dict
        The lines of ``metrics.jsonl``.
    interrupted : int or None
        The signal that ended the run early.
    wall_seconds : float
        Of the training steps and tests together, since the start or the resumption.
    """

    out: Path
    metrics: list[dict[str, Any]] = field(default_factory=list)
    interrupted: int | None = None
    wall_seconds: float = 0.0
    best_before: float = math.nan       # as a checkpoint keeps it, should metrics.jsonl be lost

    @property
    def is_tested(self) -> bool:
        """Whether there is a line of a test; none, if a callback stopped the run before its first step."""
        return any("test_accuracy" in line for line in self.metrics)

    @property
    def best_accuracy(self) -> float:
        """Largest share of right answers on the test pictures, 0..1; NaN before the first test."""
        tested = [m["test_accuracy"] for m in self.metrics if "test_accuracy" in m]
        return max(tested if math.isnan(self.best_before) else [self.best_before, *tested], default=math.nan)


def build_model(config: TrainConfig, dataset: Dataset) -> Model:
    """The model of a run, sized for the pictures and classes of the data set.  Raises UsageError."""
    _, side, _, channels = dataset.train_images.shape
    size = picture_size(config, side)
    asked = {name: getattr(config, name) for name in ("patch_size", "dropout", "stochastic_depth")
             if getattr(config, name) and not (name == "patch_size" and config.model.startswith("convnet"))}
    try:
        return build(config.model, config.seed, image_size=size, in_channels=channels, num_classes=dataset.num_classes,
                     **asked)
    except ValueError as error:
        raise UsageError(f"{config.model} for {config.data}: {error}") from error


def picture_size(config: TrainConfig, side: int, trained_for: int = 0) -> int:
    """Side of the pictures that the model takes, where those of the data have this side.  Raises UsageError."""
    size = config.image_size or max(side, trained_for)
    if size < side:
        raise UsageError(f"--image-size is {size}: expected at least {side}, the side of the pictures of {config.data}")
    return size


@contextmanager
def signals_into(receive: Callable[[int], None]) -> Iterator[None]:
    """Hand the first Ctrl-C or SIGTERM to ``receive``; a second one ends the program as if nobody had listened."""
    def first(number: int, _: Any) -> None:
        receive(number)
        restore()

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    previous: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():       # elsewhere Python sets no handlers
        previous = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        restore()
