"""Pictures of runs, as PNG files."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from minimixer.backend import Array
from minimixer.plots.style import BLUE, GREEN, ORANGE, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves(metrics: Sequence[dict[str, Any]], path: Path, title: str = "") -> None:
    """Draw training and test loss and test accuracy against epochs into a PNG file.

    Parameters
    ----------
    metrics : sequence of dict
        The lines of ``metrics.jsonl``.
    path : Path
    title : str
    """
    from matplotlib.figure import Figure  # no pyplot: no global state, and it works in any thread

    training = [(m["epoch"], m["train_loss"]) for m in metrics if "train_loss" in m]
    tests = [(m["epoch"], m["test_loss"], m["test_accuracy"]) for m in metrics if "test_loss" in m]
    figure = Figure(figsize=(9, 3.6), dpi=120, layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    if training:
        epochs, loss = zip(*training, strict=True)
        losses.plot(epochs, loss, color=BLUE, linewidth=0.6, alpha=0.35)
        losses.plot(epochs, _smooth(loss), color=BLUE, linewidth=1.8, label="training")
    if tests:
        epochs, loss, accuracy = zip(*tests, strict=True)
        losses.plot(epochs, loss, color=ORANGE, marker="o", markersize=3, label="test")
        accuracies.plot(epochs, [100 * a for a in accuracy], color=GREEN, marker="o", markersize=3)
        best = max(accuracy)
        at = epochs[accuracy.index(best)]
        accuracies.plot(at, 100 * best, marker="o", markersize=9, fillstyle="none", color=GREEN)
        accuracies.text(0.97, 0.06, f"best {100 * best:.2f} % after epoch {at:g}", ha="right",
                        transform=accuracies.transAxes)
    losses.set(xlabel="epoch", ylabel="cross-entropy (nats)", title="loss")
    losses.legend(frameon=False)
    accuracies.set(xlabel="epoch", ylabel="right answers (%)", title="test accuracy")
    for axes in (losses, accuracies):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    if title:
        figure.suptitle(title)
    figure.savefig(path)


def confusion(counts: Array, class_names: Sequence[str], path: Path | None = None, title: str = "") -> "Figure":
    """Draw a confusion matrix, shares of each row in per cent.

    Parameters
    ----------
    counts : array of int, shape (classes, classes)
        Row the true class, column the predicted one.
    class_names : sequence of str
    path : Path, optional
        A PNG file to write.
    title : str
    """
    classes = len(class_names)
    few = classes <= 20
    percent = 100 * counts / counts.sum(1, keepdims=True).clip(min=1)
    drawing = figure(7, 6.4)
    axes = drawing.subplots()
    picture = axes.imshow(percent, cmap="cividis", vmin=0, vmax=100)
    if few:
        axes.set_xticks(range(classes), class_names, rotation=45, ha="right")
        axes.set_yticks(range(classes), class_names)
        for row in range(classes):
            for column in range(classes):
                value = percent[row, column]
                if value >= 0.5:
                    axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8,
                              color="black" if value > 50 else "white")
    axes.set(xlabel="predicted", ylabel="true")
    drawing.colorbar(picture, label="share of the true class (%)", shrink=0.8)
    drawing.suptitle(title)
    if path is not None:
        drawing.savefig(path)
    return drawing


def picture_grid(images: Array, captions: Sequence[str], path: Path, title: str = "", columns: int = 5) -> None:
    """Draw pictures side by side, each with a caption, into a PNG file.

    Parameters
    ----------
    images : array of uint8, shape (N, H, W, channels)
        One channel is drawn in grey.
    captions : sequence of str
    path : Path
    title : str
    columns : int
    """
    from matplotlib.figure import Figure

    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(2.1 * columns, 2.2 * rows + 0.4), dpi=120, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for axes in grid:
        axes.set_axis_off()
    for axes, image, caption in zip(grid, images, captions, strict=False):
        axes.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=255)
        axes.set_title(fill(caption, 22), fontsize=8)
    figure.suptitle(title)
    figure.savefig(path)


def _smooth(values: Sequence[float]) -> list[float]:
    """Exponential mean over about a fiftieth of the values, corrected for its start."""
    share = 1 - 1 / max(1.0, len(values) / 50)
    smoothed, mean = [], 0.0
    for i, value in enumerate(values, 1):
        mean = share * mean + (1 - share) * value
        smoothed.append(mean / (1 - share**i))
    return smoothed
