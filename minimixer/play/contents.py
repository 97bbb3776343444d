"""What the page of a model holds: sizes, class names, weights as float16, and images to try."""

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from minimixer.backend import Array, to_numpy
from minimixer.errors import UsageError
from minimixer.nn import MlpMixer
from minimixer.play.examples import Examples, answers, examples_of

LARGEST = 150_000_000       # parameters: browsers refuse longer texts than these make
LARGEST_HALF = 65504        # of float16


class TrainedModel(Protocol):
    """What ``train.load_run`` returns, as far as the page needs it."""

    @property
    def model(self) -> Any:
        """The model."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """One per class."""

    @property
    def mean(self) -> Array:
        """Of the training pixels on the 0..1 scale, shape (channels,)."""

    @property
    def std(self) -> Array:
        """Their standard deviation, shape (channels,)."""

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of the checkpoint: ``data``, ``side``."""


def contents(trained: MlpMixer | TrainedModel, name: str, images: Array | None = None, labels: Array | None = None,
             class_names: Sequence[str] | None = None) -> dict[str, Any]:
    """Everything that the page of a model holds, ready for JSON.

    Parameters
    ----------
    trained : MlpMixer or Trained
        A bare model is taken to expect pixels on the 0..1 scale.
    name : str
        The title.
    images : array of uint8, shape (N, side, side, channels), optional
        Images to choose from, such as those of the test.  Without them: the bundled test images for a model of the
        digits, and otherwise pictures drawn by minimixer if it knows the classes.
    labels : array of int, shape (N,), optional
        Their true classes.
    class_names : sequence of str, optional
        By default the model's own; for a bare model "class 0" and so on.

    Raises
    ------
    UsageError
        If it is no Mixer, is too large, or the images or names do not fit.
    """
    model = trained if isinstance(trained, MlpMixer) else getattr(trained, "model", trained)
    if not isinstance(model, MlpMixer):
        raise UsageError(f"{name} holds a {type(model).__name__}, and the page shows how a Mixer computes: train one "
                        "with --model pico")
    if (count := model.num_parameters()) > LARGEST:
        raise UsageError(f"{name} has {count:,} parameters, and a page can hold {LARGEST:,}: choose a smaller Mixer")
    config, about = model.config, getattr(trained, "metadata", {})
    if config.in_channels not in (1, 3):
        raise UsageError(f"{name} takes images of {config.in_channels} channels, and a page can draw 1 or 3")
    names = tuple(map(str, class_names or getattr(trained, "class_names", ())
                      or (f"class {i}" for i in range(config.num_classes))))
    if len(names) != config.num_classes:
        raise UsageError(f"{len(names)} class names were given for a model of {config.num_classes} classes")
    mean = np.asarray(getattr(trained, "mean", np.zeros(config.in_channels)), np.float32)       # (channels,)
    std = np.asarray(getattr(trained, "std", np.ones(config.in_channels)), np.float32)          # (channels,)
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and std.all()):
        raise UsageError(f"{name} normalizes with mean {mean} and std {std}: expected finite "
                        "numbers, and no std of zero")
    side = int(about.get("side") or config.image_size)
    shown = examples_of(images, labels, str(about.get("data", "")), names, (side, side, config.in_channels))
    if len(shown.images):
        shown = shown.chosen(answers(model, shown.images, mean, std))
    return {"name": name, "config": asdict(config), "parameters": count, "data": about.get("data"), "side": side,
            "class_names": names, "mean": mean.tolist(), "std": std.tolist(), "pen": pen(side, names, mean),
            **as_json(shown), **weights(model, name)}


def weights(model: MlpMixer, name: str) -> dict[str, Any]:
    """Names and shapes of the arrays, and all their numbers as float16 in base64, one array after the other."""
    arrays = {key: np.asarray(to_numpy(tensor.data), np.float32) for key, tensor in model.named_tensors()}
    if not all(np.abs(array).max(initial=0) <= LARGEST_HALF for array in arrays.values()):      # also false for NaN
        raise UsageError(f"{name} has weights that are not finite, or too large for float16: train it anew with a "
                        "lower --lr")
    halves = b"".join(array.astype("<f2").tobytes() for array in arrays.values())
    return {"arrays": [[key, list(array.shape)] for key, array in arrays.items()],
            "weights": base64.b64encode(halves).decode()}


def as_json(shown: Examples) -> dict[str, Any]:
    """The images to choose from."""
    pixels = np.ascontiguousarray(shown.images, np.uint8).tobytes()
    return {"images": base64.b64encode(pixels).decode(), "labels": None if shown.labels is None else
            [int(label) for label in shown.labels], "easy": shown.easy, "origin": shown.origin}


def pen(side: int, names: Sequence[str], mean: Array) -> dict[str, Any]:
    """How drawings become images, so that they look like the training data.

    The bundled digits are scans of 32 x 32 dots, each digit stretched to 20 x 32, and a pixel counts the dots of 4 x 4.
    Other digits are taken to be drawn as MNIST's are: fitted into 20 of 28 pixels.  All other images are drawn as they
    are: gray ones with a bright pen if the training pixels are dark, others in colors.
    """
    if len(mean) == 1 and sorted(names) == list("0123456789"):
        return {"kind": "scan", "bright": True} if side == 8 else {"kind": "centered", "bright": bool(mean[0] < 0.5)}
    return {"kind": "free", "bright": len(mean) == 1 and bool(mean[0] < 0.5)}
