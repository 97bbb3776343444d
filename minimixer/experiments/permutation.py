"""``minimixer experiments permutation``: images with shuffled patches or pixels.

Three tests.  First, in float64: shuffle the patches of all images by one permutation and the pixels in each patch by
another; if the rows of the stem and the token-mixing weights are permuted accordingly, every training loss agrees up to
rounding.  Second: with the same initial weights, not permuted, do results agree statistically, and how much does a
ConvNet lose?  Third: shuffle all pixels by one permutation; how much do both lose?
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.data import Dataset
from minimixer.experiments.figures import LOOKS, by_arm, figure_title, finite, tidy
from minimixer.experiments.lab import Lab, trained
from minimixer.experiments.learning import Kind, Training, compared, learn
from minimixer.experiments.options import Learning
from minimixer.experiments.rates import tuned
from minimixer.experiments.runs import Arm, Runs, paired, ratio
from minimixer.experiments.verdicts import Claim, Part, Values
from minimixer.nn import MIXERS, MlpMixer
from minimixer.ops.patches import Patches
from minimixer.parallel import Workers
from minimixer.plots import figure
from minimixer.train import TrainConfig
from minimixer.train.initialize import build_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {"original": "original", "patches": "patches and their pixels shuffled", "pixels": "all pixels shuffled"}
TRAINED: tuple[Kind, ...] = ("Mixer", "ConvNet")
EXACT, EXACT_STEPS = "exact", 20
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

    steps: int = 2000
    """Steps per training run: after only a few hundred, a Mixer has not begun to use which pixels are neighbors."""


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """The exact test, and both kinds of models on the three kinds of images."""
    rates = {kind: tuned(lab, kind) for kind in TRAINED}
    return [Arm(EXACT, {"lr": rates["Mixer"]}),
            *(Arm(f"{kind}, {order}", {"kind": kind, "order": order, "lr": rates[kind]})
              for order in INPUTS for kind in TRAINED)]


def rules_of(lab: Lab) -> tuple[np.ndarray, np.ndarray]:
    """The permutations of the patches and of the pixels inside them."""
    rng, side, patch = np.random.default_rng(RULES), lab.dataset.train_images.shape[1], patch_of(lab)
    return rng.permutation((side // patch) ** 2), rng.permutation(patch**2)


def patch_of(lab: Lab) -> int:
    """The side of a patch in pixels."""
    return lab.options.config(lab.options.model, 0, 0.0).patch_size or MIXERS[lab.options.model].patch_size


def images_of(lab: Lab, order: str) -> Dataset:
    """The images in one of the three orders."""
    side = lab.dataset.train_images.shape[1]
    if order == "original":
        return lab.dataset
    pixels = (pixel_order(side, patch_of(lab), *rules_of(lab)) if order == "patches"
              else np.random.default_rng((RULES, 1)).permutation(side**2))
    return lab.kept(order, lambda: reordered(lab.dataset, pixels))


def training(lab: Lab, arm: Arm, seed: int) -> Training:
    """A model on images in one of the orders; images are not shifted or flipped, which would undo their order."""
    of, options = arm.settings, lab.options
    config = options.config(options.model, seed, of["lr"], augment=False)
    config, model = compared(of.get("kind", "Mixer"), config, lab.dataset)
    return Training(config, images_of(lab, of.get("order", "original")), model)


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Train one model, or make the exact test."""
    if arm.name != EXACT:
        return trained(lab, arm, training(lab, arm, seed))[1]
    config = replace(lab.options.config(lab.options.model, seed, arm.settings["lr"], augment=False),
                     batch_size=min(64, lab.options.batch_size))
    found = exact(config, lab.dataset, images_of(lab, "patches"), rules_of(lab), lab.workers)
    return {**found, **{f"largest_{label}": max(values) for label, values in found["differences"].items()}}


def planned(lab: Lab) -> list[tuple[Arm, float]]:
    """The arms to time; the exact test takes no longer than a few of their steps."""
    return [(arm, lab.options.seeds) for arm in arms(lab, Runs([])) if arm.name != EXACT]


def lost(runs: Runs, kind: str, order: str) -> Values:
    """How many points a model loses on images in another order."""
    return paired(runs.values(f"{kind}, original"), runs.values(f"{kind}, {order}"), 100)


def lost_share(runs: Runs, kind: str, order: str) -> Values:
    """Which share of its accuracy a model loses, in percent."""
    whole = runs.values(f"{kind}, original")
    return {seed: None if value is None else 100 * value
            for seed, value in ratio(paired(whole, runs.values(f"{kind}, {order}")), whole).items()}


CLAIMS = (
    Claim("Shuffled patches change nothing for a Mixer whose weights are shuffled, too", "figure 4", "curves coincide",
          "largest difference of a training loss, over 20 steps in float64",
          lambda runs: [Part("with matching weights", runs.values(EXACT, "largest_permuted"))], unit="nats", high=1e-9,
          exact=True, digits=None),
    Claim("Shuffled patches do not matter to a Mixer", "figure 4", "curves coincide", "accuracy lost",
          lambda runs: [Part("Mixer", lost(runs, "Mixer", "patches"))], low=-1, high=1),
    Claim("Shuffled patches harm a ConvNet", "figure 4", "the curve of ResNet50 drops", "accuracy lost",
          lambda runs: [Part("ConvNet", lost(runs, "ConvNet", "patches"))], low=0),
    Claim("With all pixels shuffled, a Mixer loses too", "figure 4", "Mixer-B/16 loses about 45 % of its accuracy",
          "accuracy lost", lambda runs: [Part("Mixer", lost(runs, "Mixer", "pixels"))], low=0),
    Claim("With all pixels shuffled, a ConvNet loses more than a Mixer", "figure 4",
          "ResNet50 loses about 75 % of its accuracy, Mixer-B/16 about 45 %", "difference of the shares lost",
          lambda runs: [Part("ConvNet - Mixer", paired(lost_share(runs, "ConvNet", "pixels"),
                                                       lost_share(runs, "Mixer", "pixels")))], unit="% of accuracy",
          low=0))


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Plot the accuracy on images in the three orders, and the differences of the exact test."""
    fig = figure(9.4, 3.8)
    axes, differences = fig.subplots(1, 2, width_ratios=(1.2, 1))
    named = [arm for arm in runs.arms if arm != EXACT]
    by_arm(axes, runs, named, names=[f"{kind}, {INPUTS[order]}" for kind, order in (arm.split(", ") for arm in named)])
    tidy(axes, "test accuracy (%)", "", "one permutation for all images")
    for label, (color, line, marker) in zip(("permuted", "unpermuted"), LOOKS, strict=False):
        for i, result in enumerate(runs.results(EXACT).values()):
            values = np.maximum(result.get("differences", {}).get(label, []), 1e-17)
            differences.semilogy(range(1, len(values) + 1), values, color=color, linestyle=line, marker=marker,
                                 markersize=3, linewidth=0.8, label=None if i else f"initial weights {label}")
        for value in finite(runs.values(EXACT, f"largest_{label}")):
            differences.axhline(value, color=color, linestyle=line, linewidth=0.8)
    differences.set_xlim(0, EXACT_STEPS + 0.5)
    tidy(differences, "steps", "difference (nats)", "loss in float64, shuffled against original")
    fig.suptitle(figure_title(runs, "shuffled images"))
    return fig
