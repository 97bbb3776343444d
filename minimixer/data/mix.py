"""Rectangles of noise in images, and mixtures of two images with matching targets.

Positions and weights are computed on the host, for all images at once.
"""

import numpy as np

from minimixer.backend import Array, array_module


def rectangles(height: int, width: int, h: np.ndarray, w: np.ndarray, top: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Masks, (n, height, width), true inside rectangles of h x w pixels, clipped at the border; inputs are (n,)."""
    y, x = np.arange(height)[:, None], np.arange(width)
    h, w, top, left = (v[:, None, None] for v in (h, w, top, left))
    return (top <= y) & (y < top + h) & (left <= x) & (x < left + w)


def erasures(n: int, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Random rectangles of 2 to 33 % of the image, 0.3 to 3.3 times as high as wide: masks (n, H, W).

    A rectangle longer than the image is clipped to its length (the paper draws again instead).
    """
    area = height * width * rng.uniform(0.02, 0.33, n)
    ratio = np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3), n))
    h = np.clip(np.rint(np.sqrt(area * ratio)), 1, height)
    w = np.clip(np.rint(np.sqrt(area / ratio)), 1, width)
    top, left = (np.floor(rng.random(n) * (side - own + 1)) for side, own in ((height, h), (width, w)))
    return rectangles(height, width, h, w, top, left)


def random_erasing(images: Array, probability: float, rng: np.random.Generator, rows: np.ndarray | None = None,
                   batch: int = 0) -> Array:
    """Fill a rectangle with noise in a random fraction of the images (Zhong et al. 2017, arXiv 1708.04896).

    images: (B, H, W, channels) of uint8 -> the same.  Given ``rows``, they are those images of a batch of ``batch``.
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
    order = np.full(batch, -1)                  # position among the chosen ones
    order[chosen] = np.arange(len(chosen))
    here = np.flatnonzero(order[rows] >= 0)
    own = order[rows[here]]
    at, erased = xp.asarray(here), images.copy()
    erased[at] = xp.where(xp.asarray(mask[own])[..., None], xp.asarray(noise[own]), images[at])
    return erased


def cutmix_weights(shares: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Weights, (n, H, W): 0 inside a rectangle of about ``1 - share`` of the image, 1 elsewhere.

    The rectangle has the image's aspect ratio and a center anywhere in it; it is clipped at the border (Yun et al.
    2019, arXiv 1905.04899).
    """
    h, w = (np.rint(side * np.sqrt(1 - shares)) for side in (height, width))
    top, left = (np.floor(rng.random(len(shares)) * side - own / 2 + 0.5)
                 for side, own in ((height, h), (width, w)))
    return (~rectangles(height, width, h, w, top, left)).astype(np.float32)


def mixing_weights(shape: tuple[int, int, int], cutmix: float, mixup: float, probability: float,
                   rng: np.random.Generator) -> np.ndarray:
    """Draw, for each image, the weight of its own pixels in its mixture.

    Parameters
    ----------
    shape : (B, H, W)
    cutmix, mixup : float
        Both parameters of the Beta distribution of the image's own share; 0 for none.  With both, half of the
        mixtures are of each kind.
    probability : float
        Fraction of the images that are mixed at all.

    Returns
    -------
    numpy array of float32, shape (B, H, W)
        In CutMix 0 or 1; in mixup (Zhang et al. 2017, arXiv 1710.09412) one number per image.
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
    """Mix each pixel, by its weight, with the same pixel of the preceding image in the batch.

    images: (B, H, W, channels) of uint8, weights: (B, H, W) of float32 on the same device -> the same as images.  The
    order of a batch is random, so the preceding image is a random partner.
    """
    xp = array_module(images)
    own = weights[..., None]                                                    # (B, H, W, 1)
    mixture = own * images + (1 - own) * xp.roll(images, 1, axis=0)             # (B, H, W, channels)
    return (mixture + 0.5).astype(xp.uint8)


def mix_labels(labels: np.ndarray, weights: np.ndarray, num_classes: int) -> np.ndarray:
    """The targets of these mixtures: probabilities (B, num_classes) from class numbers (B,); weights as above.

    An image's own class gets the mean weight of its pixels, the other class the rest.
    """
    share = weights.mean((1, 2))[:, None]                                       # (B, 1)
    one_hot = np.eye(num_classes, dtype=np.float32)[labels]                     # (B, num_classes)
    return share * one_hot + (1 - share) * np.roll(one_hot, 1, axis=0)
