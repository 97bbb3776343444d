"""Random changes to a batch of training images, vectorized over the batch.

One NumPy Generator draws all random numbers on the host; pixels are computed on the device of the images.  The same
seed gives the same images on a CPU and on a GPU.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minimixer.backend import Array, array_module
from minimixer.data.mix import mix_images, mix_labels, mixing_weights, random_erasing
from minimixer.data.randaugment import randaugment
from minimixer.errors import UsageError, flag
from minimixer.options import Rule


def pad_crop(images: Array, padding: int, offsets: Array) -> Array:
    """Surround images with ``padding`` black pixels and cut out windows of the old size.

    Parameters
    ----------
    images : array, shape (B, H, W, channels)
    padding : int
    offsets : array of int, shape (B, 2)
        Row and column of the top left corner of each window, in 0..2 * padding.

    Returns
    -------
    array, shape (B, H, W, channels)
    """
    xp = array_module(images)
    b, h, w, _ = images.shape
    padded = xp.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows = offsets[:, 0, None] + xp.arange(h)                                   # (B, H)
    columns = offsets[:, 1, None] + xp.arange(w)                                # (B, W)
    return padded[xp.arange(b)[:, None, None], rows[:, :, None], columns[:, None, :]]       # (B, H, W, channels)


def flip(images: Array, chosen: Array) -> Array:
    """Mirror the chosen images, left to right.  images: (B, H, W, channels), chosen: (B,) of bool."""
    xp = array_module(images)
    return xp.where(chosen[:, None, None, None], images[:, :, ::-1], images)


@dataclass(frozen=True)
class Augment:
    """Random changes to the training images, in this order."""

    crop_padding: int = 0
    """Shifts of up to this many pixels, over a black border."""
    flip: bool = False
    """Mirror half of the images."""
    randaugment: int = 0
    """Operations of RandAugment per image; 0 for none."""
    magnitude: float = 10.0
    """Their strength, 0 to 30; 10 is the end of AutoAugment's ranges."""
    erasing: float = 0.0
    """Share of the images in which a rectangle is filled with noise."""
    cutmix: float = 0.0
    """Parameter of the Beta distribution by which rectangles are exchanged; 0 for none."""
    mixup: float = 0.0
    """The same for the mean of two images; with both, half of each."""
    mixing: float = 1.0
    """Share of the images that are mixed, if cutmix or mixup is on."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("magnitude",), lambda given: not given.randaugment, "without --randaugment (it is the strength of its "
             "operations)", "add --randaugment 2"),
        Rule(("mixing",), lambda given: not given.cutmix and not given.mixup, "without --cutmix and --mixup (it is the "
             "share of the images that they mix)", "add --cutmix 1"),
        Rule(("cutmix", "mixup"), lambda given: not given.mixing, "with --mixing 0 (no image is mixed)",
             "choose a larger --mixing"))

    def __post_init__(self) -> None:
        for name, largest in (("crop_padding", None), ("randaugment", None), ("magnitude", 30), ("erasing", 1),
                              ("cutmix", None), ("mixup", None), ("mixing", 1)):
            value = getattr(self, name)
            if not 0 <= value <= (math.inf if largest is None else largest):
                expected = "a number from 0" if largest is None else f"a number in 0..{largest}"
                raise UsageError(f"{flag(name)} is {value}: expected {expected}")


class Augmentation(Augment):
    """Makes the random changes that ``Augment`` sets.  Raises UsageError if a number is out of range."""

    def __call__(self, images: Array, rng: np.random.Generator, rows: np.ndarray | None = None,
                 batch: int = 0) -> Array:
        """Change each image on its own.

        Parameters
        ----------
        images : array of uint8, shape (B, H, W, channels)
        rng : numpy.random.Generator
        rows : numpy array of int, shape (B,), optional
            Positions of these images in a batch of ``batch`` images.  Random numbers are drawn for the whole batch,
            so these images come out as they do there.
        batch : int

        Returns
        -------
        array of uint8, shape (B, H, W, channels)
        """
        xp = array_module(images)
        if rows is None:
            rows, batch = np.arange(len(images)), len(images)
        if self.crop_padding:
            offsets = rng.integers(0, 2 * self.crop_padding, (batch, 2), endpoint=True)
            images = pad_crop(images, self.crop_padding, xp.asarray(offsets[rows]))
        if self.flip:
            images = flip(images, xp.asarray((rng.random(batch) < 0.5)[rows]))
        if self.randaugment:
            images = randaugment(images, self.randaugment, self.magnitude, rng, rows, batch)
        if self.erasing:
            images = random_erasing(images, self.erasing, rng, rows, batch)
        return images

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with their predecessors in the batch."""
        return bool(self.cutmix or self.mixup)

    def mix(self, images: Array, labels: np.ndarray, num_classes: int, rng: np.random.Generator,
            rows: np.ndarray | None = None, batch: int = 0) -> tuple[Array, Array]:
        """Mix images with others of their batch by CutMix or mixup; the last step.

        Parameters
        ----------
        images : array of uint8, shape (B, H, W, channels)
        labels : numpy array of int, shape (B,)
        num_classes : int
        rng : numpy.random.Generator
        rows, batch : optional
            As above.  Row 0 is mixed with the last row given, so include a predecessor and drop row 0 afterwards.

        Returns
        -------
        images : array of uint8, shape (B, H, W, channels)
        labels : numpy array
            If images are mixed, float32 probabilities of shape (B, num_classes); otherwise those given.
        """
        if not self.mixes:
            return images, labels
        _, h, w, _ = images.shape
        weights = mixing_weights((batch or len(images), h, w), self.cutmix, self.mixup, self.mixing, rng)
        if rows is not None:
            weights = weights[rows]
        xp = array_module(images)
        return mix_images(images, xp.asarray(weights)), mix_labels(labels, weights, num_classes)
