"""Drawings of an image's patches, and of their way through token mixing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.backend import Array, to_numpy
from minimixer.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, canvas, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = (BLUE, ORANGE, GREEN, PURPLE, RED)      # of the patches, again from the first after the last
LONGEST, SPACE = 2.6, 0.85                       # inches: the longer side of a table, and between two drawings


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
    if p < 1 or h % p or w % p:
        raise ValueError(f"patch_grid: an image of {h} x {w} pixels cannot be cut into patches of {p} x {p}: choose a "
                         "patch_size that divides both sides")
    rows, columns = h // p, w // p
    look: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255 if pixels.dtype == np.uint8 else 1}
    pixels = pixels if channels == 3 else pixels[..., 0]
    alt = alt or (f"{title + ': ' if title else ''}an image of {h} x {w} pixels, cut into {rows} x {columns} = "
                  f"{rows * columns} patches of {p} x {p} pixels, and the patches apart, in reading order.")
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


def token_mixing(image: Array, patch_size: int, mix: Callable[[Array], Array], row: int = 0, *, alt: str = "") -> "Figure":
    """Draw the way of an image through token mixing: patches, rows of a table, transposed, mixed, transposed back.

    The numbers of a patch, its pixels, take the place of its C channels; numbers are drawn as grays, from black (the
    smallest of a table) to white (the largest).  Each patch has a color, at its row or column.

    Parameters
    ----------
    image : array, shape (H, W, 1)
    patch_size : int
        P, in pixels; it divides H and W.
    mix : function, (C, S) -> (C, S)
        What is done to each row of the transposed table.
    row : int
        The row of the transposed table that is framed: one channel, all patches.
    alt : str
        What the drawing shows, in words.

    Raises
    ------
    ValueError
        If the image has colors, ``patch_size`` does not divide its sides, or ``mix`` changes the shape.
    """
    pixels, p = to_numpy(image), patch_size
    h, w, channels = pixels.shape
    if channels != 1:
        raise ValueError(f"token_mixing: the image has {channels} color channels, expected a gray one, (H, W, 1)")
    if p < 1 or h % p or w % p:
        raise ValueError(f"token_mixing: an image of {h} x {w} pixels cannot be cut into patches of {p} x {p}: choose a "
                         "patch_size that divides both sides")
    rows = pixels.reshape(h // p, p, w // p, p).swapaxes(1, 2).reshape(-1, p * p)        # (S, C)
    mixed = to_numpy(mix(rows.T))                                                       # (C, S)
    if mixed.shape != rows.T.shape:
        raise ValueError(f"token_mixing: mix turned shape {rows.T.shape} into {mixed.shape}, expected the same shape")
    s, c = rows.shape
    cell = LONGEST / max(s, c)
    steps = [(rows, "rows", "flatten", False), (rows.T, "transposed", "swapaxes", True),
             (mixed, "mixed", "mix each row", True), (mixed.T, "back", "swapaxes", False)]
    side = 1.7 * max(1.0, w / h)
    width = 0.35 + side + sum(SPACE + cell * table.shape[1] for table, *_ in steps) + 0.3
    middle = 0.45 + LONGEST / 2
    fig, axes = canvas(width, LONGEST + 1.0, alt=alt or (
        f"Five drawings in a row. An image of {h} x {w} pixels in {s} patches; a table with one row per patch, S = {s}, "
        f"and C = {c} columns; its transpose, where each patch is a column; the same table after each row was mixed, so "
        f"that each number depends on all patches; and that table transposed back to {s} rows."))
    _image_in_patches(axes, pixels[..., 0], p, (0.35, middle), side)
    _names(axes, 0.35 + side / 2, "patches", f"{h} x {w} pixels, P = {p}")
    x = 0.35 + side
    for table, name, done, by_column in steps:
        start, x = x, x + SPACE
        axes.annotate("", (x - 0.2, middle), (start + 0.15, middle), arrowprops={"arrowstyle": "-|>", "color": INK})
        axes.text((start + x) / 2 - 0.02, middle + 0.1, done.replace(" each", "\neach"), ha="center", fontsize=8, color=INK)
        _table(axes, table, (x, middle), cell, by_column, row if by_column else None)
        wide = cell * table.shape[1]
        _names(axes, x + wide / 2, name, "(C, S)" if by_column else "(S, C)")
        x += wide
    axes.set(xlim=(-0.1, width - 0.1), ylim=(-0.1, LONGEST + 0.9))      # imshow has set them to the last table
    return fig


def _names(axes: "Axes", x: float, name: str, shape: str) -> None:
    axes.text(x, LONGEST + 0.72, name, ha="center", va="center", fontsize=10, color=INK, weight="bold")
    axes.text(x, 0.12, shape, ha="center", va="center", fontsize=9, color=INK)


def _image_in_patches(axes: "Axes", pixels: Any, p: int, left_middle: tuple[float, float], side: float) -> None:
    """The patches, a little apart, each in a frame of its color and with its number."""
    from matplotlib.patches import Rectangle

    (left, middle), (h, w) = left_middle, pixels.shape
    columns = w // p
    scale = side / (w * 1.06)       # inches per pixel
    step, top = p * scale * 1.06, middle + h * scale * 1.06 / 2
    for patch in range((h // p) * columns):
        r, c = divmod(patch, columns)
        x, y = left + c * step, top - r * step
        axes.imshow(pixels[r * p:(r + 1) * p, c * p:(c + 1) * p], cmap="gray", vmin=pixels.min(), vmax=pixels.max(),
                    extent=(x, x + p * scale, y - p * scale, y))
        axes.add_patch(Rectangle((x, y - p * scale), p * scale, p * scale, fill=False, linewidth=2.2,
                                 edgecolor=COLORS[patch % len(COLORS)]))


def _table(axes: "Axes", table: Any, left_middle: tuple[float, float], cell: float, by_column: bool,
           framed: int | None) -> None:
    """A table of grays, with a bar in its patch's color at each row, or above each column."""
    from matplotlib.patches import Rectangle

    (left, middle), (rows, columns) = left_middle, table.shape
    top = middle + cell * rows / 2
    axes.imshow(table, cmap="gray", extent=(left, left + cell * columns, top - cell * rows, top))
    for patch in range(columns if by_column else rows):
        x, y = (left + patch * cell, top + 0.03) if by_column else (left - 0.1, top - (patch + 1) * cell)
        axes.add_patch(Rectangle((x, y), cell if by_column else 0.07, 0.07 if by_column else cell,
                                 facecolor=COLORS[patch % len(COLORS)]))
    axes.add_patch(Rectangle((left, top - cell * rows), cell * columns, cell * rows, fill=False, edgecolor=INK,
                             linewidth=0.8))
    if framed is not None:
        axes.add_patch(Rectangle((left, top - (framed + 1) * cell), cell * columns, cell, fill=False, edgecolor=RED,
                                 linewidth=2))
