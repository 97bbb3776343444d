"""``minimixer experiments permutation``: images with shuffled patches or pixels.

Three tests.  First, in float64: shuffle the patches of all images by one permutation and the pixels in each patch by
another; if the rows of the stem and the token-mixing weights are permuted accordingly, every training loss agrees up to
rounding.  Second: with the same initial weights, not permuted, do results agree statistically, and how much does a
ConvNet lose?  Third: shuffle all pixels by one permutation; how much do both lose?
"""

from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.bench.report import table
from minimixer.data import Dataset
from minimixer.experiments.learning import LOOKS, compared, last, learn, load_data, name_of, plot_curves, spread, tidy
from minimixer.experiments.options import Learning
from minimixer.nn import MlpMixer
from minimixer.ops.patches import Patches
from minimixer.parallel import Workers
from minimixer.plots import figure
from minimixer.train import TrainConfig
from minimixer.train.initialize import build_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"original": "original", "patches": "patches and their pixels shuffled", "pixels": "all pixels shuffled"}
EXACT_STEPS = 20
RULES = 0           # seed of the permutations, which are the same in every training run


def pixel_order(side: int, patch_size: int, patches: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The permutation of all pixels that shuffles the patches and, in the same way, the pixels in each patch.

    Parameters
    ----------
    side, patch_size : int
        Sizes of the square images and patches, in pixels.
    patches : array of int, shape (S,)
        Index of the old patch at each place.
    inside : array of int, shape (P * P,)
        Index, within the patch, of the old pixel at each place.

    Returns
    -------
    array of int, shape (side * side,)
        Index of the old pixel at each place.
    """
    numbers = np.arange(side * side).reshape(1, side, side, 1)
    cut = Patches.forward(np, numbers, patch_size)[0][0]                # (S, P * P)  the pixels of every patch
    order = np.empty(side * side, np.int64)
    order[cut] = cut[patches][:, inside]
    return order


def reorder(images: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Permute the pixels of all images in the same way.  images: (N, H, W, channels), order: (H * W,)."""
    n, h, w, channels = images.shape
    return images.reshape(n, h * w, channels)[:, order].reshape(images.shape)


def reordered(dataset: Dataset, order: np.ndarray) -> Dataset:
    """A dataset whose training and test images are reordered in the same way."""
    return replace(dataset, train_images=reorder(dataset.train_images, order),
                   test_images=reorder(dataset.test_images, order))


def follow(model: MlpMixer, patches: np.ndarray, inside: np.ndarray) -> MlpMixer:
    """Permute a Mixer's weights in place to match permuted images; the arguments are those of ``pixel_order``.

    This permutes the rows of the stem and, in token mixing, the rows of fc1 and the columns and biases of fc2.
    """
    channels = model.config.in_channels
    rows = (inside[:, None] * channels + np.arange(channels)).reshape(-1)       # (P * P * channels,)
    model.stem.weight.data = model.stem.weight.data[rows]
    for block in model.blocks:
        fc1, fc2 = block.token_mixing.fc1, block.token_mixing.fc2
        fc1.weight.data = fc1.weight.data[patches]                              # (S, D_S)
        fc2.weight.data = fc2.weight.data[:, patches]                           # (D_S, S)
        fc2.bias.data = fc2.bias.data[patches]                                  # (S,)
    return model


def in_float64(model: Any) -> Any:
    """Convert the parameters of a model to float64, in place."""
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(np.float64)
    return model


def exact(config: TrainConfig, dataset: Dataset, shuffled: Dataset, rules: tuple[np.ndarray, np.ndarray],
          workers: Workers) -> dict[str, Any]:
    """Train on the original images, and on shuffled ones with permuted and with unpermuted initial weights."""
    config, losses = replace(config, max_steps=EXACT_STEPS, warmup_steps=2), {}
    for label, data, permuted in (("original", dataset, False), ("permuted", shuffled, True),
                                  ("unpermuted", shuffled, False)):
        model: Any = build_model(config, dataset)
        model = follow(model, *rules) if permuted else model
        few = replace(data, test_images=data.test_images[:64], test_labels=data.test_labels[:64])      # for speed
        _, curve = learn(f"float64, {label}", config, workers, few, in_float64(model), tests=EXACT_STEPS)
        losses[label] = curve["train_loss"]
    differences = {label: [abs(a - b) for a, b in zip(losses["original"], losses[label], strict=True)]
                   for label in ("permuted", "unpermuted")}
    return {"losses": losses, "differences": differences}


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """Options of ``experiments permutation``."""


def measure(options: Options) -> dict[str, Any]:
    """Run all three tests."""
    options = options.small
    dataset = load_data(options)
    side, rng = dataset.train_images.shape[1], np.random.default_rng(RULES)
    first = options.config(options.model, options.seeds[0])
    model: Any = build_model(first, dataset)
    patch = model.config.patch_size
    rules = rng.permutation((side // patch) ** 2), rng.permutation(patch**2)
    data = {"original": dataset, "patches": reordered(dataset, pixel_order(side, patch, *rules)),
            "pixels": reordered(dataset, rng.permutation(side**2))}
    groups: dict[str, dict[str, list[Any]]] = {kind: {order: [] for order in data} for kind in ("Mixer", "ConvNet")}
    with Workers(options.workers) as workers:
        found = exact(replace(first, batch_size=min(64, options.batch_size)), dataset, data["patches"], rules, workers)
        for seed in options.seeds:
            for kind, orders in groups.items():
                for order, curves in orders.items():
                    config, model = compared(kind, options.config(options.model, seed), dataset)
                    curves.append(learn(f"{kind}, {INPUTS[order]}", config, workers, data[order], model)[1])
    return {"data": dataset.name, "model": options.model, "patch_size": patch, "exact": found, "groups": groups,
            "example": [data[kind].test_images[1].tolist() for kind in data]}


def report(found: dict[str, Any]) -> str:
    """The largest differences of the exact test, and one row per model and kind of images."""
    rows = []
    for model, kinds in found["groups"].items():
        whole = mean(last(kinds["original"]))
        for kind, curves in kinds.items():
            ends = last(curves)
            loss = f"{100 * (ends_mean - whole) / whole:+.0f} %" if (ends_mean := mean(ends)) != whole else ""
            deviation = f"{100 * stdev(ends):.1f}" if len(ends) > 1 else ""
            rows.append([model, INPUTS[kind], spread(ends), deviation, loss])
    largest = {label: max(differences) for label, differences in found["exact"]["differences"].items()}
    return (f"Largest difference of the training losses over {EXACT_STEPS} steps in float64, shuffled against original "
            f"images:\n{largest['permuted']:.1e} nats with permuted initial weights, {largest['unpermuted']:.1e} with "
            "unpermuted ones.\n\n"
            + table(["model", "images", "accuracy, %", "standard deviation", "relative change"], rows, 2))


def draw(found: dict[str, Any]) -> "Figure":
    """Draw an image in the three orders, the exact differences, and the curves of both models."""
    fig = figure(9.6, 6.6)
    grid = fig.add_gridspec(2, 2, height_ratios=(1, 1.5))
    examples = grid[0, 0].subgridspec(1, 3)
    titles = "original", "patches and\ntheir pixels", "all pixels"
    for column, (title, image) in enumerate(zip(titles, found["example"], strict=True)):
        axes = fig.add_subplot(examples[column])
        pixels = np.array(image, np.uint8)
        axes.imshow(pixels if pixels.shape[-1] == 3 else pixels[..., 0], cmap="gray")
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()
    axes = fig.add_subplot(grid[0, 1])
    _draw_exact(axes, found["exact"]["differences"])
    top, below = 0.0, []
    for column, (model, kinds) in enumerate(found["groups"].items()):
        axes = fig.add_subplot(grid[1, column])
        plot_curves(axes, {INPUTS[kind]: curves for kind, curves in kinds.items()}, title=model)
        below.append(axes)
        top = max(top, axes.get_ylim()[1])
    for axes in below:
        axes.set_ylim(0, top)
    fig.suptitle(f"{name_of(found['data'])}: shuffled images, {found['model']} models, patches of "
                 f"{found['patch_size']} x {found['patch_size']} pixels")
    return fig


def _draw_exact(axes: Any, differences: dict[str, list[float]]) -> None:
    for (label, values), (color, line, marker) in zip(differences.items(), LOOKS, strict=False):
        axes.semilogy(range(1, len(values) + 1), np.maximum(values, 1e-17), color=color, linestyle=line,
                      marker=marker, markersize=3, label=f"initial weights {label}")
    axes.axhline(1e-9, color="0.4", linewidth=0.9, linestyle=(0, (1, 2)))
    axes.text(4, 1.6e-9, "1e-9", fontsize=8, color="0.3")
    tidy(axes, "steps", "difference (nats)", "training loss in float64: shuffled against original")
    axes.set_xticks(range(0, len(differences["permuted"]) + 1, 5))
