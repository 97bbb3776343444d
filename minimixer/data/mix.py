"""Rectangles of noise in pictures, and mixtures of two pictures with targets to match.

Where the rectangles lie and how much of each picture is left is worked out on the host, for all pictures at once.
"""

import numpy as np

from minimixer.backend import Array, array_module


def rectangles(height: int, width: int, h: np.ndarray, w: np.ndarray, top: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Masks, (n, height, width), true inside rectangles of h x w pixels, which may stick out; the others are (n,)."""
    y, x = np.arange(height)[:, None], np.arange(width)
    h, w, top, left = (v[:, None, None] for v in (h, w, top, left))
    return (top <= y) & (y < top + h) & (left <= x) & (x < left + w)


def erasures(n: int, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Rectangles of 2 to 33 % of the picture, 0.3 to 3.3 times as high as wide, in places drawn anew: masks (n, H, W).

    A rectangle that is longer than the picture is cut to its length (the paper draws another one instead).
    """
    area = height * width * rng.uniform(0.02, 0.33, n)
    ratio = np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3), n))
    h = np.clip(np.rint(np.sqrt(area * ratio)), 1, height)
    w = np.clip(np.rint(np.sqrt(area / ratio)), 1, width)
    top, left = (np.floor(rng.random(n) * (side - own + 1)) for side, own in ((height, h), (width, w)))
    return rectangles(height, width, h, w, top, left)


def random_erasing(images: Array, probability: float, rng: np.random.Generator, rows: np.ndarray | None = None,
                   batch: int = 0) -> Array:
    """Fill a rectangle with noise, in a random share of the pictures (Zhong et al. 2017, arXiv 1708.04896).

    images: (B, H, W, channels) of uint8 -> the same.  Given ``rows``, they are those pictures of a batch of ``batch``.
    """
    xp = array_module(images)
    if rows is None:
        rows, batch = np.arange(len(images)), len(images)
    chosen = np.flatnonzero(rng.random(batch) < probability)
    if not chosen.size:
        return images
    _, h, w, channels = images.shape
    mask = erasures(len(chosen), h, w, rng)
    noise = rng.integers(0, 256, (len(chosen), h, w, channels), np.uint8)
    order = np.full(batch, -1)                  # of the chosen ones
    order[chosen] = np.arange(len(chosen))
    here = np.flatnonzero(order[rows] >= 0)
    own = order[rows[here]]
    at, erased = xp.asarray(here), images.copy()
    erased[at] = xp.where(xp.asarray(mask[own])[..., None], xp.asarray(noise[own]), images[at])
    return erased


def cutmix_weights(shares: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Weights, (n, H, W), that are 0 inside a rectangle of about ``1 - share`` of the picture, 1 elsewhere.

    The rectangle has the picture's shape and a centre anywhere in it; what sticks out is cut off (Yun et al. 2019,
    arXiv 1905.04899).
    """
    h, w = (np.rint(side * np.sqrt(1 - shares)) for side in (height, width))
    top, left = (np.floor(rng.random(len(shares)) * side - own / 2 + 0.5)
                 for side, own in ((height, h), (width, w)))
    return (~rectangles(height, width, h, w, top, left)).astype(np.float32)


def mixing_weights(shape: tuple[int, int, int], cutmix: float, mixup: float, probability: float,
                   rng: np.random.Generator) -> np.ndarray:
    """The weight of a picture's own pixels in its mixture, drawn for every picture.

    Parameters
    ----------
    shape : (B, H, W)
    cutmix, mixup : float
        Both parameters of the Beta distribution of the picture's share; 0 if there is no such mixture.  If there are
        both, half of the mixtures are of each kind.
    probability : float
        Share of the pictures that are mixed at all.

    Returns
    -------
    numpy array of float32, shape (B, H, W)
        In CutMix 0 or 1, in mixup (Zhang et al. 2017, arXiv 1710.09412) one number a picture.
    """
    b, h, w = shape
    weights = np.ones(shape, np.float32)
    mixed = rng.random(b) < probability
    pasted = rng.random(b) < (0.5 if cutmix and mixup else float(cutmix > 0))
    rows = np.flatnonzero(mixed & pasted)
    if rows.size:
        weights[rows] = cutmix_weights(rng.beta(cutmix, cutmix, len(rows)), h, w, rng)
    rows = np.flatnonzero(mixed & ~pasted)
    if rows.size:
        weights[rows] = rng.beta(mixup, mixup, len(rows))[:, None, None]
    return weights


def mix_images(images: Array, weights: Array) -> Array:
    """Every pixel times its weight plus that of the picture before it in the batch times the rest.

    images: (B, H, W, channels) of uint8, weights: (B, H, W) of float32 on the same device -> the same as images.  The
    order of a batch is random, so the picture before it is as random a partner as any.
    """
    xp = array_module(images)
    own = weights[..., None]                                                    # (B, H, W, 1)
    mixture = own * images + (1 - own) * xp.roll(images, 1, axis=0)             # (B, H, W, channels)
    return (mixture + 0.5).astype(xp.uint8)


def mix_labels(labels: np.ndarray, weights: np.ndarray, num_classes: int) -> np.ndarray:
    """The targets of such mixtures: probabilities (B, num_classes) from class numbers (B,); weights as above.

    A picture's own class gets the mean weight of its pixels, the other one the rest.
    """
    share = weights.mean((1, 2))[:, None]                                       # (B, 1)
    one_hot = np.eye(num_classes, dtype=np.float32)[labels]                     # (B, num_classes)
    return share * one_hot + (1 - share) * np.roll(one_hot, 1, axis=0)
