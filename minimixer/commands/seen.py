"""Images as a model saw them: in the terminal, or in a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minimixer import plots
from minimixer.backend import Array
from minimixer.errors import UsageError
from minimixer.files import check_replaceable
from minimixer.plots.style import is_plot

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

IN_TERMINAL = 8         # images; of more, a file is easier to look at
IN_FILE = 100
LARGE_PIXELS = 16       # images of at most so many pixels a side are drawn with two columns to a pixel
COLORS = ("256", "truecolor")


def check_file(path: Path, option: str = "--seen") -> None:
    """Raise UsageError or FileRefusedError if the images cannot be drawn into this file."""
    if path.suffix.lower() != ".png":
        raise UsageError(f"{option} is {path}: expected a name that ends in .png")
    if path.is_dir():
        raise UsageError(f"{option} is {path}, a folder: name a file, such as {path / 'seen.png'}")
    if not path.parent.is_dir():
        raise UsageError(f"{option} is {path}, and there is no folder {path.parent}: make it first")
    check_replaceable(path, is_plot, "predict", option)


def in_terminal(image: Array, out: "Console") -> "Text | None":
    """The image in colored cells; None if this terminal has too few colors, columns or letters for it.

    image: (H, W, channels) of uint8.  Small images take two columns and one line per pixel, others one column and half
    a line.
    """
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    height, width, _ = image.shape
    is_small = max(height, width) <= LARGE_PIXELS
    if not out.is_terminal or out.no_color or out.color_system not in COLORS or out.width < width * (1 + is_small) + 2:
        return None
    if not is_small and not out.encoding.startswith("utf"):
        return None
    rgb = np.broadcast_to(image, (height, width, 3)).tolist()

    def color(row: int, column: int) -> Color:
        return Color.from_rgb(*rgb[row][column])

    drawn = Text()
    for top in range(0, height, 1 if is_small else 2):
        drawn.append("\n  " if top else "  ")
        for column in range(width):
            if is_small:
                drawn.append("  ", Style(bgcolor=color(top, column)))
            elif top + 1 < height:
                drawn.append("▀", Style(color=color(top, column), bgcolor=color(top + 1, column)))
            else:
                drawn.append("▀", Style(color=color(top, column)))
    return drawn


def in_file(images: Sequence[Array], captions: Sequence[str], path: Path, title: str) -> None:
    """Draw the images, each (H, W, channels) of uint8, with a caption each, into a PNG file."""
    plots.image_grid(np.stack(images), captions, path, title, columns=min(5, max(2, len(images))))     # 2: the title
