"""What all whole models share: a Mixer, a ViT and a ConvNet have the same interface."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, Protocol

from minimixer.nn.module import Module
from minimixer.nn.summary import Row, summarize
from minimixer.tensor import Tensor


class ModelConfig(Protocol):
    """The sizes of a model; a frozen dataclass."""

    @property
    def image_size(self) -> int:
        """Side of an image in pixels."""

    @property
    def in_channels(self) -> int:
        """Color channels of an image."""

    @property
    def num_classes(self) -> int:
        """Number of logits."""

    @property
    def widest_array(self) -> int:
        """Elements per image of the largest array that ``forward`` makes."""


class Model(Module):
    """A whole model.  images: (B, H, W, in_channels) -> logits: (B, num_classes).

    Attributes
    ----------
    config : ModelConfig
    """

    config: Any

    def summary_rows(self) -> Iterable[Row | str]:
        """The steps that ``print(model)`` shows: (step, shape of its result, parameters), or a title.

        By default there are none, and ``print`` lists the parameters.
        """
        return ()

    def __repr__(self) -> str:
        return summarize(self)


def check_positive(config: Any) -> None:
    """Raise ValueError if an integer field of a config is not positive."""
    for field in fields(config):
        if field.type in (int, "int") and (value := getattr(config, field.name)) < 1:
            raise ValueError(f"{field.name} is {value}, expected a positive number")


def check_tiling(image_size: int, patch_size: int) -> None:
    """Raise ValueError if patches do not tile an image."""
    if image_size % patch_size:
        fits = [p for p in range(1, image_size + 1) if image_size % p == 0]
        raise ValueError(f"patches of {patch_size} pixels do not tile an image of {image_size}: change patch_size to "
                         f"one of {fits}, or image_size to a multiple of {patch_size}")


def check_images(images: Tensor, config: Any, what_it_has: str) -> None:
    """Raise ValueError for images that do not fit a model of patches: its weights fix the number of patches."""
    size, channels = config.image_size, config.in_channels
    if images.ndim == 4 and images.shape[1:] == (size, size, channels):
        return
    if images.shape[1:] == (channels, size, size):
        why = "their channels come first; images.transpose(0, 2, 3, 1) puts them last"
    elif images.shape in ((size, size, channels), (channels, size, size)):
        why = "this is one image without the axis of a batch; add it with images.reshape(1, ...)"
    elif images.ndim == 4 and images.shape[1:3] == (size, size):
        why = f"the stem has weights for {channels} channels; build the model with in_channels={images.shape[3]}"
    else:
        why = (f"{what_it_has} for exactly S = ({size} / {config.patch_size})^2 = {config.num_patches} patches, so "
               f"resize the images to {size} x {size}, or build the model with another image_size")
    raise ValueError(f"images have shape {images.shape}, expected (B, {size}, {size}, {channels}): {why}")
