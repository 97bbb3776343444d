"""Drawings of arrays: their shapes, a transposition, patches, weights."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.backend import Array, to_numpy
from minimixer.plots.style import BLUE, GREEN, INK, ORANGE, PALE, PURPLE, RED, canvas, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 0.3          # inches
MOST_CELLS = 10     # longer axes are drawn without cells, on a logarithmic scale
SLANT = 0.45        # inches to the right and up, per inch of the first of three axes


def shapes(boxes: Mapping[str, Mapping[str, int]], signs: Sequence[str] | str = "", title: str = "") -> "Figure":
    """Draw arrays side by side as boxes whose edges are named axes.  Each axis name has its own color.

    Parameters
    ----------
    boxes : mapping
        Name of an array to its axes, ``{"x": {"B": 4, "C": 3}, "bias": {"C": 3}}``, at most three each.  The last axis
        runs to the right, the second to last down, the third to last into the page.
    signs : sequence of str
        Signs between the boxes, ``"+="`` for x + bias = y.
    title : str

    Raises
    ------
    ValueError
        If an array has more than three axes.
    """
    if too_many := [name for name, box in boxes.items() if len(box) > 3]:
        raise ValueError(f"shapes: {too_many[0]} has {len(boxes[too_many[0]])} axes, expected at most three: merge "
                         "two, or draw a single example of the batch")
    sizes = {axis: n for box in boxes.values() for axis, n in box.items()}
    lengths = [n for box in boxes.values() for n in box.values()]
    grid = max(lengths, default=1) <= MOST_CELLS

    def inches(n: int) -> float:
        return CELL * n if grid else 0.35 * (1 + math.log2(n) / 2)

    palette = (BLUE, RED, GREEN, PURPLE, ORANGE)
    colors = dict(zip(sizes, (palette * (1 + len(sizes) // len(palette)))[:len(sizes)], strict=True))
    extents = [([1] * (3 - len(box)) + list(box.values())) for box in boxes.values()]
    widths = [inches(w) + (SLANT * inches(d) if d > 1 else 0) for d, _, w in extents]
    heights = [inches(h) + (SLANT * inches(d) if d > 1 else 0) for d, h, _ in extents]
    gap = 1.15
    width = sum(widths) + gap * (len(boxes) + 0.35)
    height = max(heights) + 1.3 + (0.3 if title else 0)
    fig, axes = canvas(max(width, 3.0), height)
    x, middle = 0.85, 0.65 + max(heights) / 2
    for i, (name, box) in enumerate(boxes.items()):
        _box(axes, (x, middle - heights[i] / 2), name, box, colors, [inches(n) for n in extents[i]], grid)
        x += widths[i]
        if i < len(signs):
            axes.text(x + 0.27, middle, signs[i], ha="center", va="center", fontsize=15, color=INK)
        x += gap
    if title:
        axes.text(max(width, 3.0) / 2 - 0.1, height - 0.3, title, ha="center", va="center", fontsize=11, color=INK)
    return fig


def _box(axes: "Axes", corner: tuple[float, float], name: str, box: Mapping[str, int], colors: Mapping[str, str],
         inches: Sequence[float], grid: bool) -> None:
    """One array: its front and depth, a colored edge and a label per axis, and its name and shape below."""
    from matplotlib.patches import Polygon, Rectangle

    (x, y), (depth, height, width) = corner, inches
    deep = len(box) == 3 and next(iter(box.values())) > 1
    dx = dy = SLANT * depth if deep else 0.0
    if deep:
        for face in ([(x, y + height), (x + width, y + height), (x + width + dx, y + height + dy),
                      (x + dx, y + height + dy)],
                     [(x + width, y), (x + width + dx, y + dy), (x + width + dx, y + height + dy),
                      (x + width, y + height)]):
            axes.add_patch(Polygon(face, facecolor="#D3E1EC", edgecolor=INK, linewidth=0.8))
    axes.add_patch(Rectangle((x, y), width, height, facecolor=PALE, edgecolor=INK, linewidth=0.8))
    axis_names = list(box)
    if grid:
        rows, columns = ([1, *box.values()] if len(box) == 1 else [1, 1] if not box else list(box.values()))[-2:]
        for r in range(1, rows):
            axes.plot([x, x + width], [y + height * r / rows] * 2, color=INK, linewidth=0.35)
        for c in range(1, columns):
            axes.plot([x + width * c / columns] * 2, [y, y + height], color=INK, linewidth=0.35)
    edges = [((x, x + width), (y + height + dy,) * 2, (0.0, 0.08), "center", "bottom"),         # right
             ((x, x), (y, y + height), (-0.08, 0.0), "right", "center"),                        # down
             ((x + width, x + width + dx), (y, y + dy), (0.08, -0.06), "left", "center")]       # into the page
    for axis, (xs, ys, (sx, sy), ha, va) in zip(reversed(axis_names), edges, strict=False):
        if axis == axis_names[-1] and deep:
            xs = (x + dx, x + width + dx)
        axes.plot(xs, ys, color=colors[axis], linewidth=3.2, solid_capstyle="butt")
        axes.text(sum(xs) / 2 + sx, sum(ys) / 2 + sy, f"{axis} = {box[axis]}", ha=ha, va=va, fontsize=9, color=INK)
    shape = "(" + ", ".join(axis_names) + ("," if len(box) == 1 else "") + ")"
    axes.text(x + (width + dx) / 2, y - 0.13, name, ha="center", va="top", fontsize=11, color=INK, weight="bold")
    axes.text(x + (width + dx) / 2, y - 0.34, shape, ha="center", va="top", fontsize=9, color=INK)


def transposition(values: Array, row: int = 0, names: tuple[str, str] = ("S", "C")) -> "Figure":
    """Draw a matrix and its transpose, with one row highlighted in both; in the transpose it is a column.

    Parameters
    ----------
    values : array, shape (S, C)
        Up to 8 x 8, the values are written into the cells.
    row : int
        Row to highlight.
    names : (str, str)
        Names of the two axes.
    """
    table = to_numpy(values)
    s, c = table.shape
    cell = 0.42 if max(s, c) <= 8 else 3.4 / max(s, c)
    width, height = cell * (s + c) + 2.9, cell * max(s, c) + 0.75
    fig, axes = canvas(width, height)
    middle = cell * max(s, c) / 2 + 0.1
    for left, grid, marked, (down, right) in ((0.6, table, (row, None), names),
                                              (cell * c + 2.35, table.T, (None, row), names[::-1])):
        rows, columns = grid.shape
        top = middle + cell * rows / 2
        _cells(axes, (left, top), cell, grid, marked)
        axes.text(left + cell * columns / 2, top + 0.1, f"{right} = {columns}", ha="center", fontsize=10, color=INK)
        axes.text(left - 0.12, middle, f"{down} = {rows}", ha="right", va="center", fontsize=10, color=INK)
    start = 0.6 + cell * c + 0.2
    axes.annotate("", (start + 0.85, middle), (start, middle), arrowprops={"arrowstyle": "-|>", "color": INK})
    axes.text(start + 0.42, middle + 0.1, "swapaxes", ha="center", fontsize=9, color=INK)
    return fig


def _cells(axes: "Axes", corner: tuple[float, float], cell: float, table: Any, marked: tuple[Any, Any]) -> None:
    from matplotlib.patches import Rectangle

    (left, top), (rows, columns) = corner, table.shape
    for r in range(rows):
        for c in range(columns):
            chosen = marked in ((r, None), (None, c))
            axes.add_patch(Rectangle((left + c * cell, top - (r + 1) * cell), cell, cell, edgecolor=INK,
                                     linewidth=0.6 if max(rows, columns) <= 16 else 0.15,
                                     facecolor=ORANGE if chosen else PALE))
            if max(rows, columns) <= 8:
                axes.text(left + (c + 0.5) * cell, top - (r + 0.5) * cell, f"{table[r, c]:.3g}", ha="center",
                          va="center", fontsize=9, color=INK, weight="bold" if chosen else "normal")


def patch_grid(image: Array, patch_size: int, title: str = "") -> "Figure":
    """Draw an image with the cuts between its patches, and the separate patches, numbered in reading order.

    Parameters
    ----------
    image : array, shape (H, W, channels)
        uint8, or floats in 0..1; an image with one channel is drawn in gray.
    patch_size : int
        P, in pixels; it divides H and W.
    title : str

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
    fig = figure(8.4, 4.3 if title else 4.0)
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


def weight_maps(weights: Array, captions: Sequence[str] = (), title: str = "", columns: int = 8) -> "Figure":
    """Draw matrices as small maps on one color scale: blue below zero, white at zero, orange above.

    Parameters
    ----------
    weights : array, shape (N, H, W)
    captions : sequence of str
        One per map, or none.
    title : str
    columns : int
        Maps per row.
    """
    from matplotlib.colors import LinearSegmentedColormap

    maps = to_numpy(weights)
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    largest = float(np.abs(maps).max(initial=0)) or 1.0
    scale = LinearSegmentedColormap.from_list("blue-orange", [BLUE, "#FFFFFF", RED])
    fig = figure(1.15 * columns + 1.0, 1.15 * rows * (1.15 if captions else 1) + (0.4 if title else 0.1))
    grid = fig.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, weight in zip(grid.flat, maps, strict=False):
        shown = axes.imshow(weight, cmap=scale, vmin=-largest, vmax=largest)
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
    for axes, caption in zip(grid.flat, captions, strict=False):
        axes.set_title(caption, fontsize=8)
    fig.colorbar(shown, ax=grid, shrink=0.9, aspect=14)
    if title:
        fig.suptitle(title)
    return fig
