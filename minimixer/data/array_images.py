"""What arrays of any usual layout become: uint8 images (N, side, side, channels).  What was recognized is said."""

import contextlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.data.dataset import DataError
from minimixer.data.memory import check_memory
from minimixer.data.notes import Notes

AT_ONCE = 1024          # images that are converted at once
DARK = 32               # integers below it are hardly pixels of 0..255
COLORS = (1, 3)         # channels of images in files


def as_array(value: Any, what: str) -> Array:
    """Any nested sequence or array as an array of numbers or strings on the host.  Raises DataError."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{what} cannot be made one array ({error}): expected numbers in one array on the CPU, of "
                        "images of one size; mm.data.from_folder reads images of mixed sizes from files") from error
    if array.dtype.kind == "O":
        with contextlib.suppress(ValueError):       # strings, or equal images in a list
            array = np.asarray(array.tolist())
        if array.dtype.kind == "O":
            raise DataError(f"{what} are Python objects: expected numbers in one array, of images of one size")
    return array


def as_images(found: Mapping[str, Array], notes: Notes) -> dict[str, Array]:
    """Bring the images of all parts to one layout and to uint8.

    Parameters
    ----------
    found : mapping
        Name of a part -> its images, (N, H, W, channels), (N, channels, H, W), (N, H, W) or (N, H * W), all alike.
    notes : Notes
        Gets a sentence on everything that was changed.

    Returns
    -------
    dict
        The same names -> arrays of uint8, (N, side, side, channels), C-contiguous.

    Raises
    ------
    DataError
        If layout or pixel values cannot be recognized with certainty.
    """
    first = next(iter(found.values()))
    for part, images in found.items():
        if images.ndim < 2 or not images.size:
            raise DataError(f"the {part} images have the shape {images.shape}: expected (N, H, W, channels), at least "
                            "one image")
        if images.shape[1:] != first.shape[1:]:
            raise DataError(f"the {part} images have the shape {images.shape}, others {first.shape}: expected one size "
                            "and number of channels for all")
    said, move = _layout(first.shape)
    notes += said
    convert = _scale(found, notes)
    needed = sum(images.size for images in found.values() if convert or not _ready(move(images)))
    check_memory(needed, "the images as bytes", "give smaller images, or fewer")
    return {part: np.ascontiguousarray(move(images)) if convert is None else _converted(move(images), convert)
            for part, images in found.items()}


def _ready(images: Array) -> bool:
    return bool(images.flags.c_contiguous)


def _layout(shape: tuple[int, ...]) -> tuple[list[str], Callable[[Array], Array]]:
    """How images of this shape become (N, side, side, channels), and what to say about it."""
    if len(shape) == 2:
        side = math.isqrt(shape[1])
        if side * side != shape[1]:
            raise DataError(f"the images have the shape {shape}, {shape[1]:,} numbers each: expected a square number "
                            "for gray images; reshape color images to (N, H, W, 3) yourself, for their order is not "
                            "known")
        return ([f"rows of {shape[1]:,} numbers were taken as gray images of {side} x {side} pixels"],
                lambda images: images.reshape(-1, side, side, 1))               # (N, side, side, 1)
    if len(shape) == 3:
        said, crop = _square(*shape[1:3])
        return said, lambda images: crop(images)[..., None]                     # (N, side, side, 1)
    if len(shape) != 4:
        raise DataError(f"the images have the shape {shape}: expected (N, H, W, channels)")
    if _channels_first(shape):
        said, crop = _square(*shape[2:4])
        return ([f"images of the shape (N, {', '.join(map(str, shape[1:]))}) were taken as channels first", *said,
                 *_unusual(shape[1])], lambda images: crop(images.transpose(0, 2, 3, 1)))   # (N, side, side, channels)
    said, crop = _square(*shape[1:3])
    return [*said, *_unusual(shape[3])], crop


def _channels_first(shape: tuple[int, ...]) -> bool:
    _, a, b, c = shape
    if c in COLORS or (a not in COLORS and c < min(a, b)):
        return False
    if a in COLORS or a < min(b, c):
        return True
    raise DataError(f"the images have the shape {shape}, and no axis is clearly the channels: expected "
                    "(N, H, W, channels) with fewer channels than rows and columns")


def _unusual(channels: int) -> list[str]:
    if channels in COLORS:
        return []
    return [f"images have {channels} channels, all of which the model gets; image files can only be predicted with 1 "
            "or 3 (if one is transparency, leave it out: images[..., :-1])"]


def _square(height: int, width: int) -> tuple[list[str], Callable[[Array], Array]]:
    if height == width:
        return [], lambda images: images
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return ([f"images of {height} x {width} pixels were cut to the {side} x {side} in their middle"],
            lambda images: images[:, top:top + side, left:left + side])         # (N, side, side, ...)


def _scale(found: Mapping[str, Array], notes: Notes) -> tuple[float, float] | None:
    """Factor and offset that turn the values of all parts into 0..255; None if they are uint8.  Raises DataError."""
    kinds = {images.dtype.kind for images in found.values()}
    if kinds == {"u"} and all(images.dtype == np.uint8 for images in found.values()):
        return None
    if len(kinds - {"i", "u"}) + bool(kinds & {"i", "u"}) > 1:
        raise DataError("the parts have pixels of different kinds (" + ", ".join(
            f"{part}: {images.dtype}" for part, images in found.items()) + "): expected one kind, uint8 in 0..255")
    kind = kinds.pop()
    if kind == "b":
        notes.append("True and False were taken as white and black")
        return 255.0, 0.0
    if kind not in "iuf":
        raise DataError(f"the images are of {next(iter(found.values())).dtype}: expected uint8, pixels in 0..255")
    low = float(np.min([images.min() for images in found.values()]))
    high = float(np.max([images.max() for images in found.values()]))
    if not math.isfinite(low + high):
        raise DataError("the images hold numbers that are not finite (NaN or infinity): expected pixels in 0..255 or "
                        "0..1")
    return _float_scale(low, high, notes) if kind == "f" else _integer_scale(low, high, notes)


def _integer_scale(low: float, high: float, notes: Notes) -> tuple[float, float]:
    if low < 0 or high > 255:
        raise DataError(f"the pixels are whole numbers from {low:,.0f} to {high:,.0f}: expected 0..255; divide 16-bit "
                        "images by 256")
    if high < DARK:
        notes.append(f"no pixel is brighter than {high:.0f} of 255; if {high:.0f} is white, multiply the images by "
                     f"255 / {high:.0f} first")
    return 1.0, 0.0


def _float_scale(low: float, high: float, notes: Notes) -> tuple[float, float]:
    if low >= 0 and high <= 1:
        notes.append("pixels from 0 to 1 were multiplied by 255")
        return 255.0, 0.0
    if low >= -1 and high <= 1:
        notes.append("pixels from -1 to 1 were taken as black to white")
        return 127.5, 127.5
    if low >= 0 and high <= 255:
        notes.append("pixels from 0 to 255, stored as floats, were rounded to whole numbers")
        return 1.0, 0.0
    raise DataError(f"the pixels go from {low:.4g} to {high:.4g}: expected 0..255, 0..1 or -1..1; undo their "
                    "normalization (images * std + mean)")


def _converted(images: Array, scale: tuple[float, float]) -> Array:
    factor, offset = scale
    out = np.empty(images.shape, np.uint8)
    for rows in (slice(start, start + AT_ONCE) for start in range(0, len(images), AT_ONCE)):
        part = images[rows]
        out[rows] = part if scale == (1.0, 0.0) and part.dtype.kind in "iu" else np.rint(
            part * np.float64(factor) + offset)
    return out
