"""What all plots share: the palette of Okabe & Ito, figures and axes, and simple curves."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from minimixer.backend import Array, as_array, to_numpy
from minimixer.files import check_regular, replacing
from minimixer.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
PALE = "#EAF1F7"        # fill of boxes
INK = "#222222"
MARK, BEGINNING = "minimixer", 1024        # in every PNG file, and within how many of its first bytes


def figure(width: float = 6.0, height: float = 3.4, *, alt: str = "") -> "Figure":
    """An empty matplotlib Figure of this size in inches.

    It uses no pyplot, so it has no global state and works in any thread.  A notebook shows it when it is the value of
    a cell's last line.

    Parameters
    ----------
    width, height : float
    alt : str
        One or two sentences that say what the figure will show, for readers who do not see it.
    """
    from minimixer.plots.notebook_figure import NotebookFigure
    fig = NotebookFigure(figsize=(width, height), dpi=120, layout="constrained")
    fig.alt = " ".join(alt.split())
    return fig


def canvas(width: float, height: float, *, margin: float = 0.1, alt: str = "") -> "tuple[Figure, Axes]":
    """A Figure to draw on: one unit is one inch, and no axes are shown."""
    fig = figure(width, height, alt=alt)
    fig.set_layout_engine("none")
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-margin, width - margin), ylim=(-margin, height - margin))
    axes.set_axis_off()
    return fig, axes


def label(text: object, limit: int | None = 120) -> str:
    """``printable`` text that matplotlib draws as it is: between two dollar signs it would expect a formula."""
    return printable(text, limit).replace("$", r"\$")


def save(fig: "Figure", path: Path, source: str | None = None) -> None:
    """Write a PNG file, whole or not at all, marked as a plot of minimixer; equal plots give equal bytes.

    ``source`` is written into the file, too: what the plot was made of.
    """
    with replacing(path) as unfinished:
        fig.savefig(unfinished, format="png",
                    metadata={"Software": MARK} | ({} if source is None else {"Source": source}))


def is_plot(path: Path) -> bool:
    """Whether a file is one that ``save`` wrote.  Raises OSError."""
    check_regular(path)
    with open(path, "rb") as file:
        return f"Software\0{MARK}".encode() in file.read(BEGINNING)


def declutter(axes: "Axes") -> None:
    """Hide the top and right spines and add a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def lines(x: Array, curves: Mapping[str, Array], *, xlabel: str, ylabel: str, title: str = "", log: str = "",
          marks: Mapping[str, float] | None = None, alt: str = "") -> "Figure":
    """Plot curves over a common x axis, distinguished by color, line style and marker.

    Parameters
    ----------
    x : array or list, shape (N,)
    curves : mapping
        Label to values, each an array or list of shape (N,); at most five.
    xlabel, ylabel, title : str
    log : str
        Axes with a logarithmic scale: "", "x", "y" or "xy".
    marks : mapping, optional
        Label to a position on x, drawn as a vertical line.
    alt : str
        What the plot shows, in words; by default where each curve begins and ends.

    Raises
    ------
    ValueError
        If there are more than five curves.
    """
    if len(curves) > 5:
        raise ValueError(f"lines: {len(curves)} curves cannot be distinguished, expected at most five: split them into "
                         "two plots")
    values = {label: to_numpy(as_array(y)) for label, y in curves.items()}
    fig = figure(alt=alt or _lines_in_words(to_numpy(as_array(x)), values, xlabel, ylabel))
    axes = fig.subplots()
    looks = zip((BLUE, RED, GREEN, PURPLE, ORANGE), ("-", "--", "-.", ":", "-"), "os^Dv", strict=True)
    for (label, y), (color, line, marker) in zip(values.items(), looks, strict=False):
        axes.plot(to_numpy(as_array(x)), y, color=color, linestyle=line, label=label,
                  marker=marker if len(x) <= 30 else "", markersize=4)
    for label, position in (marks or {}).items():
        axes.axvline(position, color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
        axes.annotate(label, (position, 0.97), xycoords=("data", "axes fraction"), xytext=(4, 0),
                      textcoords="offset points", va="top", fontsize=8, color=INK)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if "x" in log:
        axes.set_xscale("log")
        if len(x) <= 8 and all(1 <= n == int(n) for n in x):        # few whole numbers: these are the ticks
            axes.set_xticks(x, [f"{int(n)}" for n in x])
            axes.minorticks_off()
    if "y" in log:
        axes.set_yscale("log")
    declutter(axes)
    if len(curves) > 1:
        axes.legend(frameon=False)
    return fig


def _lines_in_words(x: Array, curves: Mapping[str, Array], xlabel: str, ylabel: str) -> str:
    def ends(y: Array) -> str:
        return f"from {y[0]:.2g} to {y[-1]:.2g}" if len(y) else "no values"

    where = f", from {x[0]:.3g} to {x[-1]:.3g}" if len(x) else ""
    return (f"Plot of {ylabel or 'values'} against {xlabel or 'x'}{where}. "
            + "; ".join(f"{label}: {ends(y)}" for label, y in curves.items()) + ".")
