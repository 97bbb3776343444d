"""Drawings of the shapes of arrays."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from minimixer.plots.style import BLUE, GREEN, INK, ORANGE, PALE, PURPLE, RED, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 0.3          # inches
MOST_CELLS = 10     # longer axes are drawn without cells, on a logarithmic scale
SLANT = 0.45        # inches to the right and up, per inch of the first of three axes
LETTER = 0.075      # inches, of the names of axes
GAP, LEAST_GAP = 0.75, 1.0      # inches for a sign between two boxes; the name of a left edge needs its own
MOST_WIDTH = 10.6   # inches; what does not fit goes on below
SIGN = re.compile(r"([)]*)\s*(.*?)\s*([(]*)")      # what closes, the sign itself, what opens


def shapes(boxes: Mapping[str, Mapping[str, int]], signs: Sequence[str] | str = "", title: str = "", *,
           alt: str = "") -> "Figure":
    """Draw arrays side by side as boxes whose edges are named axes.  Each axis name has its own color.

    Parameters
    ----------
    boxes : mapping
        Name of an array to its axes, ``{"x": {"B": 4, "C": 3}, "bias": {"C": 3}}``, at most three each.  The last axis
        runs to the right, the second to last down, the third to last into the page.
    signs : sequence of str
        Signs between the boxes, ``"+="`` for x + bias = y.  If there are as many signs as boxes, the first one stands
        before the first box: ``["(", "+", ")*", "="]`` for (x + bias) * scale = y.
    title : str
    alt : str
        What the drawing shows, in words; by default the names, axes and signs.

    Raises
    ------
    ValueError
        If an array has more than three axes, or there are more signs than boxes.
    """
    if too_many := [name for name, box in boxes.items() if len(box) > 3]:
        raise ValueError(f"shapes: {too_many[0]} has {len(boxes[too_many[0]])} axes, expected at most three: merge "
                         "two, or draw a single example of the batch")
    if len(signs) > len(boxes):
        raise ValueError(f"shapes: {len(signs)} signs for {len(boxes)} arrays, expected at most one before each")
    before = ["", *signs] if len(signs) < len(boxes) else list(signs)
    before += [""] * (len(boxes) - len(before))             # the sign that stands before each box
    sizes = {axis: n for box in boxes.values() for axis, n in box.items()}
    grid = max((n for box in boxes.values() for n in box.values()), default=1) <= MOST_CELLS
    palette = (BLUE, RED, GREEN, PURPLE, ORANGE)
    colors = dict(zip(sizes, (palette * (1 + len(sizes) // len(palette)))[:len(sizes)], strict=True))
    sized = [_measure(box, grid) for box in boxes.values()]
    lines = _lines(sized)
    tall = [max(sized[i].height for i in line) + 1.2 for line in lines]
    width = max(3.0, *(sum(sized[i].gap + sized[i].width for i in line) + 0.6 for line in lines))
    height = sum(tall) + (0.3 if title else 0) + 0.1
    fig, axes = canvas(width, height, alt=alt or _in_words(boxes, before))
    names, bottom = list(boxes), sum(tall)
    for line, line_height in zip(lines, tall, strict=True):
        bottom -= line_height
        x, middle = 0.0, bottom + 0.65 + (line_height - 1.2) / 2
        for i in line:
            closing, sign, opening = SIGN.fullmatch(before[i]).groups()         # type: ignore[union-attr]
            x += sized[i].gap
            for text, at, size in ((sign, x - sized[i].left - 0.38 + (0.1 if closing else 0), 15),
                                   (opening, x - sized[i].left - 0.14, 30)):
                axes.text(at, middle, text, ha="center", va="center", fontsize=size, color=INK)
            _box(axes, (x, middle - sized[i].height / 2), names[i], boxes[names[i]], colors, sized[i].inches, grid)
            x += sized[i].width
            closing = SIGN.fullmatch((*before, "")[i + 1])[1]                   # type: ignore[index]
            axes.text(x + 0.14, middle, closing, ha="center", va="center", fontsize=30, color=INK)
    if title:
        axes.text(width / 2 - 0.1, height - 0.3, title, ha="center", va="center", fontsize=11, color=INK)
    return fig


class _Size(NamedTuple):
    """Of a box, in inches."""

    inches: tuple[float, ...]       # depth, height and width
    width: float                    # with its depth, drawn slanted
    height: float
    left: float                     # of the name of its left edge

    @property
    def gap(self) -> float:         # before it
        return max(LEAST_GAP, GAP + self.left)


def _measure(box: Mapping[str, int], grid: bool) -> _Size:
    depth, height, width = (CELL * n if grid else 0.35 * (1 + math.log2(n) / 2)
                            for n in [1] * (3 - len(box)) + list(box.values()))
    slant = SLANT * depth if len(box) == 3 and next(iter(box.values())) > 1 else 0.0
    label = " = ".join(map(str, list(box.items())[-2])) if len(box) > 1 else ""
    return _Size((depth, height, width), width + slant, height + slant, 0.08 + LETTER * len(label))


def _lines(sized: Sequence[_Size]) -> list[list[int]]:
    """Which boxes stand on each line."""
    lines: list[list[int]] = [[]]
    for i, size in enumerate(sized):
        if lines[-1] and sum(sized[j].gap + sized[j].width for j in lines[-1]) + size.gap + size.width > MOST_WIDTH:
            lines.append([])
        lines[-1].append(i)
    return lines


def _in_words(boxes: Mapping[str, Mapping[str, int]], before: Sequence[str]) -> str:
    words = ""
    for sign, (name, box) in zip(before, boxes.items(), strict=True):
        closing, between, opening = SIGN.fullmatch(sign).groups()               # type: ignore[union-attr]
        between = f" {between} " if between else ", " if words and not sign else " " if words else ""
        shape = ", ".join(f"{axis} = {n}" for axis, n in box.items()) or "a number"
        words += f"{closing}{between}{opening}{name} [{shape}]"
    return f"Arrays drawn as boxes: {words}."


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
