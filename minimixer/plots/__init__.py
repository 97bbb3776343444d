"""Pictures of runs, arrays, graphs and models, readable in print and by colour-blind eyes."""

from minimixer.plots.arrays import patch_grid, shapes, transposition, weight_maps
from minimixer.plots.graph import graph
from minimixer.plots.runs import confusion, curves, picture_grid
from minimixer.plots.style import BLUE, GREEN, ORANGE, PURPLE, RED, figure, lines

__all__ = ["BLUE", "GREEN", "ORANGE", "PURPLE", "RED", "confusion", "curves", "figure", "graph", "lines", "patch_grid",
           "picture_grid", "shapes", "transposition", "weight_maps"]
