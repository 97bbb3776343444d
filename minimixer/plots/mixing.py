"""A drawing of the way of an image through token mixing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minimixer.backend import Array, to_numpy
from minimixer.plots.patches import check_cut
from minimixer.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = (BLUE, ORANGE, GREEN, PURPLE, RED)     # of the patches, again from the first after the last
LONGEST, SPACE = 2.6, 0.85                      # inches: the longer side of a table, and between two drawings
MIDDLE = 0.45 + LONGEST / 2                     # inches from below


def token_mixing(image: Array, patch_size: int, mix: Callable[[Array], Array], row: int = 0, *,
                 alt: str = "") -> "Figure":
    """Draw the way of an image through token mixing: patches, rows of a table, transposed, mixed, transposed back.

    The numbers of a patch, its pixels, take the place of its C channels.  In each table they are drawn as grays, from
    black for the smallest to white for the largest.  Each patch has a color, at its row or column.

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
    check_cut("token_mixing", h, w, p)
    rows = pixels.reshape(h // p, p, w // p, p).swapaxes(1, 2).reshape(-1, p * p)       # (S, C)
    mixed = to_numpy(mix(rows.T))                                                       # (C, S)
    if mixed.shape != rows.T.shape:
        raise ValueError(f"token_mixing: mix turned shape {rows.T.shape} into {mixed.shape}, expected the same shape")
    s, c = rows.shape
    cell, side = LONGEST / max(s, c), 1.7 * max(1.0, w / h)
    width = side + 4 * SPACE + 2 * (s + c) * cell + 0.65
    fig, axes = canvas(width, LONGEST + 1.0, alt=alt or (
        f"Five drawings. An image of {h} x {w} pixels in {s} patches; a table with one row per patch, S = {s}, "
        f"and C = {c} columns; its transpose, where each patch is a column; this table after each row was mixed, so "
        f"that each number depends on all patches; and the mixed table transposed back to {s} rows."))
    _patches(axes, pixels[..., 0], p, 0.35, side)
    _names(axes, 0.35 + side / 2, "patches", f"{h} x {w} pixels, P = {p}")
    x = 0.35 + side
    for table, name, done, swapped in ((rows, "rows", "flatten", False), (rows.T, "transposed", "swapaxes", True),
                                       (mixed, "mixed", "mix\neach row", True), (mixed.T, "back", "swapaxes", False)):
        axes.annotate("", (x + SPACE - 0.2, MIDDLE), (x + 0.15, MIDDLE), arrowprops={"arrowstyle": "-|>", "color": INK})
        axes.text(x + SPACE / 2 - 0.02, MIDDLE + 0.1, done, ha="center", fontsize=8, color=INK)
        x += SPACE
        _table(axes, table, x, cell, swapped, row)
        _names(axes, x + cell * table.shape[1] / 2, name, "(C, S)" if swapped else "(S, C)")
        x += cell * table.shape[1]
    axes.set(xlim=(-0.1, width - 0.1), ylim=(-0.1, LONGEST + 0.9))      # imshow has set them to the last table
    return fig


def _names(axes: "Axes", x: float, name: str, shape: str) -> None:
    axes.text(x, LONGEST + 0.72, name, ha="center", va="center", fontsize=10, color=INK, weight="bold")
    axes.text(x, 0.12, shape, ha="center", va="center", fontsize=9, color=INK)


def _patches(axes: "Axes", pixels: Any, p: int, left: float, side: float) -> None:
    """The patches, a little apart, each in a frame of its color."""
    from matplotlib.patches import Rectangle

    h, w = pixels.shape
    columns = w // p
    scale = side / (w * 1.06)       # inches per pixel
    step, top = p * scale * 1.06, MIDDLE + h * scale * 1.06 / 2
    for patch in range((h // p) * columns):
        r, c = divmod(patch, columns)
        x, y = left + c * step, top - r * step
        axes.imshow(pixels[r * p:(r + 1) * p, c * p:(c + 1) * p], cmap="gray", vmin=pixels.min(), vmax=pixels.max(),
                    extent=(x, x + p * scale, y - p * scale, y))
        axes.add_patch(Rectangle((x, y - p * scale), p * scale, p * scale, fill=False, linewidth=2.2,
                                 edgecolor=COLORS[patch % len(COLORS)]))


def _table(axes: "Axes", table: Any, left: float, cell: float, swapped: bool, framed: int) -> None:
    """A table of grays with a bar in the patch's color at each row; if swapped, above each column, and a row framed."""
    from matplotlib.patches import Rectangle

    rows, columns = table.shape
    top = MIDDLE + cell * rows / 2
    axes.imshow(table, cmap="gray", extent=(left, left + cell * columns, top - cell * rows, top))
    for patch in range(columns if swapped else rows):
        x, y = (left + patch * cell, top + 0.03) if swapped else (left - 0.1, top - (patch + 1) * cell)
        axes.add_patch(Rectangle((x, y), cell if swapped else 0.07, 0.07 if swapped else cell,
                                 facecolor=COLORS[patch % len(COLORS)]))
    axes.add_patch(Rectangle((left, top - cell * rows), cell * columns, cell * rows, fill=False, edgecolor=INK,
                             linewidth=0.8))
    if swapped:
        axes.add_patch(Rectangle((left, top - (framed + 1) * cell), cell * columns, cell, fill=False, edgecolor=RED,
                                 linewidth=2))
