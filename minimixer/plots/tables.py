"""Drawings of a table and its transpose."""

from typing import TYPE_CHECKING, Any

from minimixer.backend import Array, to_numpy
from minimixer.plots.style import INK, ORANGE, PALE, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def transposition(values: Array, row: int = 0, names: tuple[str, str] = ("S", "C"), *,
                  alt: str = "") -> "Figure":
    """Draw a matrix and its transpose, with one row highlighted in both; in the transpose it is a column.

    Parameters
    ----------
    values : array, shape (S, C)
        Up to 8 x 8, the values are written into the cells.
    row : int
        Row to highlight.
    names : (str, str)
        Names of the two axes.
    alt : str
        What the drawing shows, in words.
    """
    table = to_numpy(values)
    s, c = table.shape
    first, last = names
    alt = alt or (f"Table with {first} = {s} rows and {last} = {c} columns, and its transpose, with {last} = {c} rows "
                  f"and {first} = {s} columns. Marked: row {row}, which is column {row} of the transpose.")
    cell = 0.42 if max(s, c) <= 8 else 3.4 / max(s, c)
    width, height = cell * (s + c) + 2.9, cell * max(s, c) + 0.75
    fig, axes = canvas(width, height, alt=alt)
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
