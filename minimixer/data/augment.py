"""Random changes to a batch of training pictures, vectorised over the batch.

What is random is drawn on the host by one NumPy Generator, what is computed is computed where the pictures are: the
same seed gives the same pictures on a CPU and on a GPU.
"""

from dataclasses import dataclass

import numpy as np

from minimixer.backend import Array, array_module


def pad_crop(images: Array, padding: int, offsets: Array) -> Array:
    """Surround pictures with ``padding`` black pixels and cut out windows of the old size.

    Parameters
    ----------
    images : array, shape (B, H, W, channels)
    padding : int
    offsets : array of int, shape (B, 2)
        Row and column of the upper left corner of each window, in 0..2 * padding.

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
    """Mirror the chosen pictures, left to right.  images: (B, H, W, channels), chosen: (B,) of bool."""
    xp = array_module(images)
    return xp.where(chosen[:, None, None, None], images[:, :, ::-1], images)


@dataclass(frozen=True)
class Augmentation:
    """Which random changes training pictures get: shifts of up to ``crop_padding`` pixels, and mirroring.

    Called with pictures (B, H, W, channels) and a NumPy Generator, it returns as many changed pictures.
    """

    crop_padding: int = 0
    flip: bool = False

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        """images: (B, H, W, channels) -> the same shape and dtype."""
        xp = array_module(images)
        if self.crop_padding:
            offsets = rng.integers(0, 2 * self.crop_padding, (len(images), 2), endpoint=True)
            images = pad_crop(images, self.crop_padding, xp.asarray(offsets))
        if self.flip:
            images = flip(images, xp.asarray(rng.random(len(images)) < 0.5))
        return images
