"""Drawings of an image's patches."""

from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.backend import Array, to_numpy
from minimixer.plots.style import INK, ORANGE, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def patch_grid(image: Array, patch_size: int, title: str = "", *, alt: str = "") -> "Figure":
    """Draw an image with the cuts between its patches, and the separate patches, numbered in reading order.

    Parameters
    ----------
    image : array, shape (H, W, channels)
        uint8, or floats in 0..1; an image with one channel is drawn in gray.
    patch_size : int
        P, in pixels; it divides H and W.
    title : str
    alt : str
        What the image shows, in words; by default its size and its cuts.

    Raises
    ------
    ValueError
        If ``patch_size`` does not divide H and W.
    """
    pixels = to_numpy(image)
    h, w, channels = pixels.shape
    p = patch_size
    check_cut("patch_grid", h, w, p)
    rows, columns = h // p, w // p
    look: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255 if pixels.dtype == np.uint8 else 1}
    pixels = pixels if channels == 3 else pixels[..., 0]
    start = f"{title}: an" if title else "An"
    alt = alt or (f"{start} image of {h} x {w} pixels, cut into {rows} x {columns} = {rows * columns} patches of {p} x "
                  f"{p} pixels, and the patches apart, in reading order.")
    fig = figure(8.4, 4.3 if title else 4.0, alt=alt)
    whole, apart = fig.subplots(1, 2)
    for axes in (whole, apart):
        axes.set_axis_off()
    whole.imshow(pixels, **look)
    for cut in range(1, rows):
        whole.axhline(cut * p - 0.5, color=ORANGE, linewidth=1.4)
    for cut in range(1, columns):
        whole.axvline(cut * p - 0.5, color=ORANGE, linewidth=1.4)
    whole.set_title(f"H x W = {h} x {w} pixels, P = {p}", fontsize=10)
    step = 1.0 + (0.3 if rows * columns <= 64 else 0.1)
    for r in range(rows):
        for c in range(columns):
            x, y = c * step, r * step
            apart.imshow(pixels[r * p:(r + 1) * p, c * p:(c + 1) * p], extent=(x, x + 1, y + 1, y), **look)
            if rows * columns <= 64:
                apart.text(x + 0.5, y - 0.04, str(r * columns + c), ha="center", va="bottom", fontsize=7, color=INK)
    apart.set(xlim=(-0.1, columns * step), ylim=(rows * step, -0.35))
    apart.set_title(f"S = {rows} x {columns} = {rows * columns} patches, each {p} x {p} x {channels} = "
                    f"{p * p * channels} numbers", fontsize=10)
    if title:
        fig.suptitle(title)
    return fig


def check_cut(function: str, height: int, width: int, patch_size: int) -> None:
    """Raise ValueError if patches of this side do not fill the image."""
    if patch_size < 1 or height % patch_size or width % patch_size:
        raise ValueError(f"{function}: an image of {height} x {width} pixels cannot be cut into patches of "
                         f"{patch_size} x {patch_size}: choose a patch_size that divides both sides")
