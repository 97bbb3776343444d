"""RandAugment (Cubuk et al. 2019, arXiv 1909.13719): a few random changes per image, all of the same magnitude.

Images are (n, H, W, channels) of uint8, with one or three channels.  Every change computes what Pillow computes, bit
for bit, for many images at once.  Choices and angles are computed on the host, pixels on the device of the images.
"""

from collections.abc import Callable

import numpy as np

from minimixer.backend import Array, Module, array_module
from minimixer.ops.registry import choose

FULL = 10           # the magnitude at the end of AutoAugment's ranges; the Mixer paper's M = 15 goes half as far again
FILL = 128          # gray, where a moved image leaves a gap
FIXED = 1 << 16     # one pixel, in fixed-point arithmetic


# Colors

def _column(xp: Module, values: Array, dtype: type) -> Array:
    """One number per image, (n,), as (n, 1, 1, 1)."""
    return xp.asarray(values, dtype)[:, None, None, None]


def blend(start: Array | int, images: Array, factors: Array) -> Array:
    """``start + factor * (images - start)``, clipped to 0..255: 0 gives ``start``, 1 the image, 2 exaggerates it."""
    xp = array_module(images)
    start = start if isinstance(start, int) else start.astype(xp.float32)
    mixed = start + _column(xp, factors, xp.float32) * (images - start).astype(xp.float32)
    return xp.clip(mixed, 0, 255).astype(xp.uint8)


def gray(images: Array) -> Array:
    """Brightness of each pixel, int32, (n, H, W, 1): 0.299 red + 0.587 green + 0.114 blue (ITU-R 601-2)."""
    xp = array_module(images)
    if images.shape[-1] == 1:
        return images.astype(xp.int32)
    red, green, blue = (images[..., i:i + 1].astype(xp.int32) for i in range(3))
    return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16


def brightness(images: Array, factors: Array) -> Array:
    """0 is black, 1 the image."""
    return blend(0, images, factors)


def color(images: Array, factors: Array) -> Array:
    """0 is a gray image, 1 the image."""
    return blend(gray(images), images, factors)


def contrast(images: Array, factors: Array) -> Array:
    """0 is the mean gray of the image, 1 the image."""
    pixels = images.shape[1] * images.shape[2]
    mean = (2 * gray(images).sum((1, 2, 3), keepdims=True) + pixels) // (2 * pixels)        # (n, 1, 1, 1)  rounded
    return blend(mean, images, factors)


def sharpness(images: Array, factors: Array) -> Array:
    """0 is the image smoothed by weights of 1 around a 5, except at its border; 1 is the image."""
    x = images.astype(array_module(images).int16)
    rows = x[:, :-2] + x[:, 1:-1] + x[:, 2:]                                                # (n, H - 2, W, channels)
    sums = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * x[:, 1:-1, 1:-1]
    x[:, 1:-1, 1:-1] = (2 * sums + 13) // 26                                                # sums / 13, rounded
    return blend(x, images, factors)


def solarize(images: Array, thresholds: Array) -> Array:
    """Invert the levels at or above the threshold."""
    xp = array_module(images)
    return xp.where(images < _column(xp, thresholds, xp.int32), images, 255 - images)


def posterize(images: Array, kept_bits: Array) -> Array:
    """Keep the bits of each level that are set in ``kept_bits``: 0b11110000 keeps the highest four."""
    return images & _column(array_module(images), kept_bits, np.uint8)


def _entries(images: Array) -> Array:
    """Index of each pixel's level in concatenated tables of 256 entries, one per image and channel."""
    xp = array_module(images)
    n, _, _, channels = images.shape
    return 256 * xp.arange(n * channels).reshape(n, 1, 1, channels) + images                # (n, H, W, channels)


def autocontrast(images: Array) -> Array:
    """Stretch the levels of each channel to the full range 0..255."""
    xp = array_module(images)
    low, high = (f((1, 2))[:, :, None].astype(xp.float64) for f in (images.min, images.max))        # (n, channels, 1)
    scale = 255 / xp.maximum(high - low, 1)
    levels = xp.arange(256)
    tables = xp.where(high > low, xp.clip(levels * scale + -low * scale, 0, 255), levels)   # (n, channels, 256)
    return tables.astype(xp.uint8).ravel()[_entries(images)]


def equalize(images: Array) -> Array:
    """Equalize the histogram of each channel."""
    xp = array_module(images)
    n, h, w, channels = images.shape
    entries = _entries(images)
    counts = xp.bincount(entries.ravel(), minlength=256 * n * channels).reshape(n, channels, 256)
    brightest = (images == images.max((1, 2), keepdims=True)).sum((1, 2))[:, :, None]       # (n, channels, 1)
    step = (h * w - brightest) // 255
    below = counts.cumsum(-1) - counts                                                      # (n, channels, 256)
    tables = xp.where(step > 0, xp.minimum((step // 2 + below) // xp.maximum(step, 1), 255), xp.arange(256))
    return tables.astype(xp.uint8).ravel()[entries]


# Geometry

def fixed(matrices: np.ndarray) -> np.ndarray:
    """Matrices (n, 6) for pixel corners instead of centers, in fixed-point numbers (times 65536): (6, n) of int32."""
    a, b, c, d, e, f = matrices.astype(np.float64).T                                        # each (n,)
    corners = np.stack([a, b, c + a / 2 + b / 2, d, e, f + d / 2 + e / 2])
    return np.floor(corners * FIXED + 0.5).astype(np.int32)


def affine(images: Array, matrices: np.ndarray) -> Array:
    """Take pixel (x, y) of the result from the nearest pixel to (a x + b y + c, d x + e y + f) of the image.

    images: (n, H, W, channels), matrices: (n, 6), each row a, b, c, d, e, f.  Pixels from outside are ``FILL``.  The
    sums are integers, in units of 1 / 65536 pixel, so every device finds the same pixels.
    """
    xp = array_module(images)
    n, h, w, channels = images.shape
    a, b, c, d, e, f = xp.asarray(fixed(matrices)[:, :, None, None])                        # each (n, 1, 1)
    x, y = xp.arange(w, dtype=xp.int32), xp.arange(h, dtype=xp.int32)[:, None]
    column, row = (a * x + b * y + c) >> 16, (d * x + e * y + f) >> 16                      # (n, H, W)
    outside = (column < 0) | (column >= w) | (row < 0) | (row >= h)
    place = (xp.arange(n)[:, None, None] * h + row) * w + column
    moved = images.reshape(-1, channels)[xp.where(outside, 0, place)]                       # (n, H, W, channels)
    return xp.where(outside[..., None], FILL, moved)                # moved[outside] = FILL would wait for the GPU


def rotation(degrees: np.ndarray, height: int, width: int) -> np.ndarray:
    """Rotate counterclockwise around the center: matrices (n, 6)."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y = width / 2, height / 2
    return np.stack([cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y], 1)


def shift(x: np.ndarray | float = 0, y: np.ndarray | float = 0, shear_x: np.ndarray | float = 0,
          shear_y: np.ndarray | float = 0) -> np.ndarray:
    """Move columns by ``x + shear_x * row`` and rows by ``y + shear_y * column``: matrices (n, 6)."""
    return np.stack(np.broadcast_arrays(1.0, shear_x, x, shear_y, 1.0, y), 1)


# Choosing operations

def factors(strength: np.ndarray) -> np.ndarray:
    """Factors of the operations that blend: 0.1 and 1.9 at the ends of the range."""
    return np.maximum(0.1, 1 + 0.9 * strength)


def thresholds(strength: np.ndarray) -> np.ndarray:
    """Thresholds of solarize: from 256, which changes nothing, down to 0."""
    return 256 - 256 * np.minimum(abs(strength), 1)


def kept_bits(strength: np.ndarray) -> np.ndarray:
    """Bit masks of posterize: the highest 8 bits set, down to 4 and fewer."""
    return 256 - 2 ** (8 - np.maximum(1, 8 - np.rint(4 * abs(strength)).astype(int)))


COLORS: dict[str, Callable[[Array, np.ndarray], Array]] = {
    "autocontrast": lambda images, strength: autocontrast(images),
    "equalize": lambda images, strength: equalize(images),
    "solarize": lambda images, strength: solarize(images, thresholds(strength)),
    "posterize": lambda images, strength: posterize(images, kept_bits(strength)),
    "color": lambda images, strength: color(images, factors(strength)),
    "contrast": lambda images, strength: contrast(images, factors(strength)),
    "brightness": lambda images, strength: brightness(images, factors(strength)),
    "sharpness": lambda images, strength: sharpness(images, factors(strength)),
}
TRANSLATION = 150 / 331     # of the side: AutoAugment's 150 pixels of 331
GEOMETRIES: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "rotate": lambda strength, h, w: rotation(30 * strength, h, w),
    "shear_x": lambda strength, h, w: shift(shear_x=0.3 * strength),
    "shear_y": lambda strength, h, w: shift(shear_y=0.3 * strength),
    "translate_x": lambda strength, h, w: shift(x=TRANSLATION * w * strength),
    "translate_y": lambda strength, h, w: shift(y=TRANSLATION * h * strength),
}
OPERATIONS = ("identity", *COLORS, *GEOMETRIES)


def change(images: Array, chosen: np.ndarray, strength: np.ndarray) -> Array:
    """Change each image by its own operation.

    Parameters
    ----------
    images : array of uint8, shape (B, H, W, channels)
    chosen : numpy array of int, shape (B,)
        Positions in ``OPERATIONS``.
    strength : numpy array, shape (B,)
        1 and -1 are the ends of the operation's range, 0 its middle; operations without a direction use the size.

    Returns
    -------
    array of uint8, shape (B, H, W, channels)
    """
    xp = array_module(images)
    _, h, w, _ = images.shape
    changed = images.copy()
    moves = np.empty((len(images), 6))
    for i, name in enumerate(OPERATIONS):
        of_this = np.flatnonzero(chosen == i)
        if not of_this.size:
            continue
        if name in COLORS:
            rows = xp.asarray(of_this)
            changed[rows] = COLORS[name](images[rows], strength[of_this])
        elif name in GEOMETRIES:
            moves[of_this] = GEOMETRIES[name](strength[of_this], h, w)
    moved = np.flatnonzero(np.isin(chosen, [OPERATIONS.index(name) for name in GEOMETRIES]))
    if moved.size:
        rows = xp.asarray(moved)
        changed[rows] = affine(images[rows], moves[moved])                                  # one gather for all of them
    return changed


def randaugment(images: Array, layers: int, magnitude: float, rng: np.random.Generator,
                rows: np.ndarray | None = None, batch: int = 0) -> Array:
    """Change each image ``layers`` times, each time by a random one of ``OPERATIONS`` in a random direction.

    images: (B, H, W, channels) of uint8 -> the same.  The magnitude has the scale of the official code, where 10 is the
    end of AutoAugment's ranges: 30 degrees, a shear of 0.3, 45 % of the side, factors of 0.1 and 1.9, 4 bits, all
    levels inverted.  Larger magnitudes extend the ranges linearly, as far as possible.  At 0 nothing changes, except by
    autocontrast and equalize, which have no magnitude.  Given ``rows``, the images are those of a batch of ``batch``.
    """
    if rows is None:
        rows, batch = np.arange(len(images)), len(images)
    for _ in range(layers):
        chosen = rng.integers(len(OPERATIONS), size=batch)
        strength = magnitude / FULL * rng.choice([-1.0, 1.0], batch)
        images = choose(change, array_module(images), None)(images, chosen[rows], strength[rows])
    return images
