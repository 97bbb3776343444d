"""Plots of runs, arrays, graphs and models, readable in print and for color-blind readers.

Colors and sizes are in ``style.py``, and nowhere else.
"""

import warnings
from typing import Any

from minimixer.plots.graph import graph
from minimixer.plots.maps import weight_maps, yes_no_maps
from minimixer.plots.mixing import token_mixing
from minimixer.plots.patches import patch_grid
from minimixer.plots.playground import play
from minimixer.plots.runs import confusion, curves, image_grid
from minimixer.plots.shapes import shapes
from minimixer.plots.style import BLUE, GREEN, ORANGE, PURPLE, RED, figure, lines
from minimixer.plots.tables import transposition

__all__ = ["BLUE", "GREEN", "ORANGE", "PURPLE", "RED", "confusion", "curves", "figure", "graph", "image_grid", "lines",
           "patch_grid", "play", "shapes", "token_mixing", "transposition", "weight_maps", "yes_no_maps"]


def __getattr__(name: str) -> Any:
    """Old names, for one version."""
    if name == "picture_grid":
        warnings.warn("minimixer.plots.picture_grid is now called image_grid", DeprecationWarning, stacklevel=2)
        return image_grid
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
