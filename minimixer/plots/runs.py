"""Plots of runs: training curves, confusion matrices, and grids of images."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from minimixer.backend import Array
from minimixer.plots.style import BLUE, GREEN, ORANGE, canvas, declutter, figure, label, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def curves(metrics: Sequence[dict[str, Any]], path: Path, title: str = "", training: str = "training",
           floor: float = 0.0) -> None:
    """Plot training loss, test loss and test accuracy over epochs into a PNG file; with validation, those of that.

    Parameters
    ----------
    metrics : sequence of dict
        The lines of ``metrics.jsonl``.
    path : Path
    title : str
    training : str
        Name of the training loss, which says how its labels differ from those of the test.
    floor : float
        The smallest training loss that these labels allow, in nats: a dotted line, if it is above 0.
    """
    fig = figure(10, 3.8)
    losses, accuracies = fig.subplots(1, 2)
    if found := [(m["epoch"], m["train_loss"]) for m in metrics if "train_loss" in m]:
        epochs, loss = zip(*found, strict=True)
        losses.plot(epochs, loss, color=BLUE, linewidth=0.6, alpha=0.35)
        losses.plot(epochs, _smooth(loss), color=BLUE, linewidth=1.8, label=training)
        if floor > 0:
            losses.axhline(floor, color=BLUE, linewidth=1.2, linestyle=":", label=f"its floor, {floor:.2f}")
    part = "validation" if any("validation_loss" in m for m in metrics) else "test"
    if tests := [(m["epoch"], m[f"{part}_loss"], m[f"{part}_accuracy"]) for m in metrics if f"{part}_loss" in m]:
        epochs, loss, accuracy = zip(*tests, strict=True)
        losses.plot(epochs, loss, color=ORANGE, marker="o", markersize=3, label=part)
        best = max(range(len(tests)), key=lambda i: (accuracy[i], -loss[i]))
        _accuracies(accuracies, epochs, [100 * a for a in accuracy], best, part)
    losses.set(xlabel="epoch", ylabel="cross-entropy (nats)", title="loss")
    losses.legend(frameon=False, fontsize=9)
    accuracies.set(xlabel="epoch", ylabel="accuracy (%)", title=f"{part} accuracy")
    for axes in (losses, accuracies):
        axes.xaxis.get_major_locator().set_params(integer=True)
        declutter(axes)
    if title:
        fig.suptitle(label(title))
    save(fig, path)


def _accuracies(axes: "Axes", epochs: Sequence[float], percent: Sequence[float], best: int, part: str) -> None:
    """The accuracy after each epoch: the last one first, then the best one with the images that chose it."""
    axes.plot(epochs, percent, color=GREEN, marker="o", markersize=3)
    axes.plot(epochs[-1], percent[-1], color=GREEN, marker="o", markersize=7)
    axes.plot(epochs[best], percent[best], marker="o", markersize=11, fillstyle="none", color=GREEN)
    chosen = f",\nchosen on these {part} images" if len(percent) > 1 else ""
    first = f"{percent[-1]:.2f} % after the last epoch"
    second = f"best (ring): {percent[best]:.2f} % after epoch {epochs[best]:g}{chosen}"
    for y, words, weight in ((0.22, first, "bold"), (0.06, second, "normal")):
        axes.text(0.97, y, words, weight=weight, ha="right", transform=axes.transAxes)


def confusion(counts: Array, class_names: Sequence[str], path: Path | None = None, title: str = "", *,
              alt: str = "") -> "Figure":
    """Draw a confusion matrix as percentages of each row.

    Parameters
    ----------
    counts : array of int, shape (K, K)
        Rows are true classes, columns predicted classes.
    class_names : sequence of str
    path : Path, optional
        PNG file to write.
    title : str
    alt : str
        What the matrix shows, in words; by default its size and the shares on its diagonal.
    """
    classes = len(class_names)
    few = classes <= 20
    percent = 100 * counts / counts.sum(1, keepdims=True).clip(min=1)
    right = [f"{class_names[i]} {percent[i, i]:.0f} %" for i in range(classes)] if few else [
        f"from {percent.diagonal().min():.0f} % to {percent.diagonal().max():.0f} %"]
    fig = figure(7, 6.4, alt=alt or f"{title or 'Confusion matrix'}: {classes} x {classes} shares of the true class, "
                                    f"predicted right: {', '.join(right)}.")
    axes = fig.subplots()
    shown = axes.imshow(percent, cmap="cividis", vmin=0, vmax=100)
    if few:
        names = [label(name, 30) for name in class_names]
        axes.set_xticks(range(classes), names, rotation=45, ha="right")
        axes.set_yticks(range(classes), names)
        for row in range(classes):
            for column in range(classes):
                value = percent[row, column]
                if value >= 0.5:
                    axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8,
                              color="black" if value > 50 else "white")
    axes.set(xlabel="predicted", ylabel="true")
    fig.colorbar(shown, label="share of the true class (%)", shrink=0.8)
    fig.suptitle(label(title))
    if path is not None:
        save(fig, path)
    return fig


def image_grid(images: Array, captions: Sequence[str], path: Path, title: str = "", columns: int = 5) -> None:
    """Draw images in a grid, each with a caption, into a PNG file.

    Parameters
    ----------
    images : array of uint8, shape (N, H, W, channels)
        Images with one channel are drawn in gray.
    captions : sequence of str
    path : Path
    title : str
    columns : int
    """
    rows = max(1, -(-len(images) // columns))
    width, height = 2.1 * columns, 2.2 * rows + 0.4
    fig, axes = canvas(width, height, margin=0)         # one pair of axes for all: twenty take a second to draw
    for i, (image, caption) in enumerate(zip(images, captions, strict=False)):
        tall, wide = (1.8 * side / max(image.shape[:2]) for side in image.shape[:2])            # inches
        x, top = 2.1 * (i % columns + 0.5), height - 0.8 - 2.2 * (i // columns)
        axes.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=255,
                    extent=(x - wide / 2, x + wide / 2, top - tall, top))
        axes.text(x, top + 0.05, fill(label(caption), 22), fontsize=8, ha="center", va="bottom", color="black")
    axes.set(xlim=(0, width), ylim=(0, height))         # imshow has set them to the last image
    fig.suptitle(label(title), y=1 - 0.12 / height, va="top")
    save(fig, path)


def _smooth(values: Sequence[float]) -> list[float]:
    """Exponential moving average over about a fiftieth of the values, bias-corrected."""
    share = 1 - 1 / max(1.0, len(values) / 50)
    smoothed, mean = [], 0.0
    for i, value in enumerate(values, 1):
        mean = share * mean + (1 - share) * value
        smoothed.append(mean / (1 - share**i))
    return smoothed
