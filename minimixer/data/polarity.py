"""Whether writing is dark on light where a model knows light on dark, or the other way round."""

import numpy as np

from minimixer.backend import Array, to_numpy

ONE_SIDED = 0.4     # a mean of the training pixels below this (or above 1 - this) says which side the paper is on


def trained_on(mean: Array) -> str | None:
    """``"light on dark"`` or ``"dark on light"``, as the training images were; None if they say neither.

    mean: (channels,) of the training pixels, on the 0..1 scale.  Images in color say nothing: only writing and line
    drawings, which are gray, are mostly paper.
    """
    brightness = to_numpy(mean)
    if brightness.shape != (1,) or ONE_SIDED <= brightness[0] <= 1 - ONE_SIDED:
        return None
    return "light on dark" if brightness[0] < 0.5 else "dark on light"


def looks_inverted(images: Array, mean: Array) -> np.ndarray:
    """Which images have their paper on the other side than the training images.

    Both their mean and most of the pixels along their border lie on that side: a bright piece of clothing that fills a
    dark image does not count.

    images: (N, H, W, channels) of uint8; mean: (channels,) -> (N,) of bool
    """
    known = trained_on(mean)
    if known is None:
        return np.zeros(len(images), bool)
    gray = images[..., 0] / 255                                                 # (N, H, W)
    border = np.ones(gray.shape[1:], bool)
    border[1:-1, 1:-1] = False
    is_light = (gray.mean((1, 2)) > 0.5) & (np.median(gray[:, border], axis=1) > 0.5)
    is_dark = (gray.mean((1, 2)) < 0.5) & (np.median(gray[:, border], axis=1) < 0.5)
    return is_light if known == "light on dark" else is_dark
