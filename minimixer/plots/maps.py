"""Drawings of matrices as maps: numbers on a color scale, and yes or no."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.backend import Array, to_numpy
from minimixer.plots.style import BLUE, INK, ORANGE, RED, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 10.4                    # inches for all maps of a row,
SMALLEST, LARGEST = 1.3, 2.3    # and for the longer side of one


def weight_maps(weights: Array, captions: Sequence[str] = (), title: str = "", columns: int = 8, *,
                names: tuple[str, str] | None = None, numbers: bool = False, alt: str = "") -> "Figure":
    """Draw matrices as maps on one color scale: blue below zero, white at zero, orange above.

    The fewer maps stand in a row, the larger they are.

    Parameters
    ----------
    weights : array, shape (N, H, W)
        Numbers; for booleans see ``yes_no_maps``.
    captions : sequence of str
        One per map, or none.
    title : str
    columns : int
        Maps per row.
    names : (str, str), optional
        Names of the axes of each map.
    numbers : bool
        Write the numbers into the cells, with one decimal.
    alt : str
        What the maps show, in words; by default their captions and the range of the numbers.

    Raises
    ------
    ValueError
        If the matrices hold booleans.
    """
    from matplotlib.colors import LinearSegmentedColormap

    maps = to_numpy(weights)
    if maps.dtype == bool:
        raise ValueError("weight_maps: these are booleans, which need no color scale: use yes_no_maps")
    largest = float(np.abs(maps).max(initial=0)) or 1.0
    alt = alt or (f"{_counted(maps, captions, title)} Blue is below zero, white zero, orange above; the numbers go "
                  f"from {maps.min(initial=0):.2g} to {maps.max(initial=0):.2g}.")
    fig, grid = _grid(maps, captions, title, columns, names, scale=True, alt=alt)
    look = LinearSegmentedColormap.from_list("blue-orange", [BLUE, "#FFFFFF", RED])
    for axes, weight in zip(grid.flat, maps, strict=False):
        shown = axes.imshow(weight, cmap=look, vmin=-largest, vmax=largest)
        if numbers:
            for (row, column), value in np.ndenumerate(weight):
                axes.text(column, row, f"{value:.1f}".replace("-0.0", "0.0"), ha="center", va="center", fontsize=8,
                          color="white" if abs(value) > 0.7 * largest else INK)
    fig.colorbar(shown, ax=grid, shrink=0.9, aspect=14)
    return fig


def yes_no_maps(tables: Array, captions: Sequence[str] = (), title: str = "", columns: int = 8, *,
                names: tuple[str, str] | None = None, mark: tuple[int, int] | None = None, alt: str = "") -> "Figure":
    """Draw tables of booleans: cells that are true are filled.  There is no color scale.

    Parameters
    ----------
    tables : array of bool, shape (N, H, W)
    captions : sequence of str
        One per table, or none.
    title : str
    columns : int
        Tables per row.
    names : (str, str), optional
        Names of the axes of each table.
    mark : (int, int), optional
        Row and column of a cell that gets a dot in every table.
    alt : str
        What the tables show, in words; by default their captions and which cells are filled.

    Raises
    ------
    ValueError
        If the tables hold anything but booleans.
    """
    from matplotlib.colors import ListedColormap

    maps = to_numpy(tables)
    if maps.dtype != bool:
        raise ValueError(f"yes_no_maps: the tables hold {maps.dtype}, expected bool: compare first, tables != 0")
    told = [f"{captions[i] if i < len(captions) else f'table {i}'}: {_filled(table)}" for i, table in enumerate(maps)]
    fig, grid = _grid(maps, captions, title, columns, names, scale=False,
                      alt=alt or f"{_counted(maps, (), title)} Filled cells: {'; '.join(told)}.")
    look = ListedColormap(["#FFFFFF", ORANGE])
    for axes, table in zip(grid.flat, maps, strict=False):
        axes.imshow(table, cmap=look, vmin=0, vmax=1)
        rows, columns = table.shape
        if max(rows, columns) <= 32:
            axes.set_xticks(np.arange(1, columns) - 0.5, minor=True)
            axes.set_yticks(np.arange(1, rows) - 0.5, minor=True)
            axes.grid(which="minor", color=INK, linewidth=0.4)
            axes.tick_params(which="minor", length=0)
        if mark is not None:
            axes.plot(mark[1], mark[0], marker="o", color=INK, markersize=5)
    return fig


def _grid(maps: Any, captions: Sequence[str], title: str, columns: int, names: tuple[str, str] | None, *, scale: bool,
          alt: str) -> "tuple[Figure, Any]":
    """An empty pair of axes for each map, with captions, and none for the rest of the last row."""
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    side = min(LARGEST, max(SMALLEST, WIDTH / columns))         # inches
    _, tall, wide = maps.shape
    width, height = side * wide / max(tall, wide), side * tall / max(tall, wide)
    fig = figure((width + 0.12 + (0.25 if names else 0)) * columns + (0.9 if scale else 0.1),
                 (height + (0.25 if captions else 0.05) + (0.25 if names else 0)) * rows + (0.4 if title else 0.1),
                 alt=alt)
    grid = fig.subplots(rows, columns, squeeze=False)
    for i, axes in enumerate(grid.flat):
        axes.set(xticks=[], yticks=[])
        axes.set_axis_off()
        if i < len(maps):
            _label(axes, captions[i] if i < len(captions) else "", names)
    if title:
        fig.suptitle(title)
    return fig, grid


def _label(axes: "Axes", caption: str, names: tuple[str, str] | None) -> None:
    axes.set_axis_on()
    axes.set_title(caption, fontsize=9)
    if names:
        axes.set_ylabel(names[0], fontsize=9, rotation=0, ha="right", va="center")
        axes.set_xlabel(names[1], fontsize=9)


def _counted(maps: Any, captions: Sequence[str], title: str) -> str:
    count, tall, wide = maps.shape
    return (f"{title + ': ' if title else ''}{count} {'map' if count == 1 else 'maps'} of {tall} x {wide} cells"
            f"{': ' + ', '.join(captions) if captions else ''}.")


def _filled(table: Any) -> str:
    """Which cells are filled: all, none, whole rows and columns, single ones, or how many."""
    if table.all() or not table.any():
        return "all" if table.any() else "none"
    rows, columns = table.all(1), table.all(0)
    rest = np.argwhere(table & ~rows[:, None] & ~columns)
    told = [f"all of {line} {i}" for line, full in (("row", rows), ("column", columns)) for i in np.flatnonzero(full)]
    told += [f"row {r}, column {c}" for r, c in rest] if len(rest) <= 3 else [f"{len(rest)} others" if told else
                                                                             f"{len(rest)} of {table.size}"]
    return " and ".join(told)
