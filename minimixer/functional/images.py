"""Images cut into patches and windows."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from minimixer.ops.patches import Patches
from minimixer.ops.pool import AvgPool, MaxPool
from minimixer.ops.unfold import Pair, Unfold
from minimixer.tensor import Tensor, apply

Sizes: TypeAlias = int | Sequence[int]


def patches(images: Tensor, patch_size: int) -> Tensor:
    """Cut images into square patches, flattened in (row, column, channel) order.

    Parameters
    ----------
    images : Tensor, shape (B, H, W, channels)
    patch_size : int
        P, in pixels.

    Returns
    -------
    Tensor, shape (B, S, P * P * channels)
        S = (H / P) * (W / P) patches in reading order.

    Raises
    ------
    ValueError
        If P does not divide H and W.
    """
    if images.ndim != 4:
        raise ValueError(f"patches: images have shape {images.shape}, expected (B, H, W, channels)")
    _, height, width, _ = images.shape
    if patch_size < 1 or height % patch_size or width % patch_size:
        raise ValueError(f"patches: images of {height} x {width} pixels cannot be cut into patches of {patch_size} x "
                         f"{patch_size}: change patch_size to a number that divides both, or resize the images")
    return apply(Patches, images, patch_size=patch_size)


def unfold(images: Tensor, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes = 0) -> Tensor:
    """All windows of images, flattened in (row, column, channel) order.

    Parameters
    ----------
    images : Tensor, shape (B, H, W, C)
    kernel_size : int or (int, int)
        Rows and columns of a window, KH and KW; one number for both, here and below.
    stride : int or (int, int)
        Pixels from one window to the next, down and to the right.
    padding : int or (int, int)
        Rows of zeros added above and below, and columns on the left and on the right.

    Returns
    -------
    Tensor, shape (B, H', W', KH * KW * C)
        H' = (H + 2 * padding - KH) // stride + 1, and W' likewise.

    Raises
    ------
    ValueError
        If a number is out of range, or the padded image is smaller than a window.
    """
    return apply(Unfold, images, **_windows("unfold", images, kernel_size, stride, padding))


def max_pool2d(images: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> Tensor:
    """The largest pixel of every window, channel by channel.

    Parameters
    ----------
    images : Tensor, shape (B, H, W, C)
    kernel_size, padding : int or (int, int)
        As in ``unfold``; what is added around the image is never the largest, and at most half a window.
    stride : int or (int, int), optional
        As in ``unfold``; by default the kernel size, so that windows touch and do not overlap.

    Returns
    -------
    Tensor, shape (B, H', W', C)
        Rows and columns at the end that fill no window are left out.  Of equal pixels, the first gets the gradient.

    Raises
    ------
    ValueError
        As ``unfold``, or if the padding is more than half a window.
    TypeError
        If the images are not floating-point numbers.
    """
    return apply(MaxPool, images, **_pooling("max_pool2d", images, kernel_size, stride, padding))


def avg_pool2d(images: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> Tensor:
    """The mean of every window, channel by channel; arguments and result as in ``max_pool2d``.

    The zeros around the image count, as in PyTorch.  The mean of all pixels is ``images.mean((1, 2))``.
    """
    return apply(AvgPool, images, **_pooling("avg_pool2d", images, kernel_size, stride, padding))


def pair(name: str, sizes: Any, least: int = 1) -> Pair:
    """One number for rows and columns, or one each.  Raises ValueError if one is no integer, or below the least."""
    both = tuple(sizes) if isinstance(sizes, Sequence) else (sizes, sizes)
    if len(both) != 2 or not all(isinstance(n, (int, np.integer)) and n >= least for n in both):
        raise ValueError(f"{name} is {sizes!r}, expected an integer from {least}, or two: rows and columns")
    return int(both[0]), int(both[1])


def _windows(name: str, images: Tensor, kernel_size: Sizes, stride: Sizes, padding: Sizes) -> dict[str, Pair]:
    if images.ndim != 4:
        raise ValueError(f"{name}: images have shape {images.shape}, expected (B, H, W, C)")
    kernel_size, stride = pair(f"{name}: kernel_size", kernel_size), pair(f"{name}: stride", stride)
    padding = pair(f"{name}: padding", padding, 0)
    if any(n + 2 * around < k for n, k, around in zip(images.shape[1:3], kernel_size, padding, strict=True)):
        raise ValueError(f"{name}: windows of {kernel_size[0]} x {kernel_size[1]} are larger than images of "
                         f"{images.shape[1]} x {images.shape[2]} with {padding[0]} rows and {padding[1]} columns "
                         "around them")
    return {"kernel_size": kernel_size, "stride": stride, "padding": padding}


def _pooling(name: str, images: Tensor, kernel_size: Sizes, stride: Sizes | None, padding: Sizes) -> dict[str, Pair]:
    sizes = _windows(name, images, kernel_size, kernel_size if stride is None else stride, padding)
    if any(2 * around > k for k, around in zip(sizes["kernel_size"], sizes["padding"], strict=True)):
        raise ValueError(f"{name}: padding is {padding}, expected at most half of kernel_size {kernel_size}: windows "
                         "would see no pixel")
    if images.dtype.kind != "f":
        raise TypeError(f"{name}: images are {images.dtype}, expected floating-point numbers: convert the array with "
                        ".astype('float32')")
    return sizes
