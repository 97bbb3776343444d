"""``minimixer experiments cnn-identity``: compute a Mixer with convolutions.

The stem is a convolution with kernel and stride P; channel mixing is a convolution with kernel 1.  Token mixing is a
depthwise convolution whose filters cover the whole grid of patches and are shared by all channels.  Logits and
gradients are compared in float64.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer import functional as F
from minimixer.autograd import grad
from minimixer.console import at_least
from minimixer.experiments.figures import tidy
from minimixer.experiments.lab import Lab
from minimixer.experiments.options import Options as Common
from minimixer.experiments.options import Size
from minimixer.experiments.runs import Arm, Runs
from minimixer.experiments.verdicts import Claim, Part
from minimixer.nn import Conv2d, Linear, MlpBlock, MlpMixer, mixer
from minimixer.plots import BLUE, RED, figure
from minimixer.tensor import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOLERANCE = 1e-12


def convolution(linear: Linear, kernel_size: int, in_channels: int, stride: int = 1) -> Conv2d:
    """A convolution without padding that shares the weights of a Linear layer."""
    conv = Conv2d(in_channels, linear.bias.size, kernel_size, stride, padding=0)
    if conv.filters.weight.shape != linear.weight.shape:
        raise ValueError(f"a Linear layer of shape {linear.weight.shape} holds no filters of {kernel_size} x "
                         f"{kernel_size} pixels and {in_channels} channels: expected {conv.filters.weight.shape}")
    conv.filters = linear
    return conv


def mix_tokens(mlp: MlpBlock, x: Tensor) -> Tensor:
    """Token mixing by one set of full-size filters for all channels.  x: (B, side, side, C) -> the same shape."""
    b, side, _, c = x.shape
    x = x.transpose(0, 3, 1, 2).reshape(b * c, side, side, 1)               # every channel is its own image
    hidden = F.gelu(convolution(mlp.fc1, side, 1)(x))                       # (B * C, 1, 1, D_S)  D_S full-size filters
    y: Tensor = convolution(mlp.fc2, 1, mlp.fc1.bias.size)(hidden)          # (B * C, 1, 1, S)
    return y.reshape(b, c, side, side).transpose(0, 2, 3, 1)                # (B, side, side, C)


def mix_channels(mlp: MlpBlock, x: Tensor) -> Tensor:
    """Channel mixing by 1 x 1 convolutions.  x: (B, side, side, C) -> the same shape."""
    hidden = F.gelu(convolution(mlp.fc1, 1, x.shape[-1])(x))                # (B, side, side, D_C)
    y: Tensor = convolution(mlp.fc2, 1, mlp.fc1.bias.size)(hidden)          # (B, side, side, C)
    return y


def as_convnet(model: MlpMixer, images: Tensor) -> Tensor:
    """The logits of a Mixer, computed by convolutions.  images: (B, H, W, channels) -> (B, num_classes)."""
    p = model.config.patch_size
    x: Tensor = convolution(model.stem, p, model.config.in_channels, stride=p)(images)      # (B, side, side, C)
    for block in model.blocks:
        x = x + mix_tokens(block.token_mixing, block.token_norm(x))
        x = x + mix_channels(block.channel_mixing, block.channel_norm(x))
    logits: Tensor = model.head(model.norm(x).mean(axis=(1, 2)))            # (B, num_classes)
    return logits


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """Options of ``experiments cnn-identity``."""

    model: Size = "pico"
    """Size of the Mixer."""
    images: int = 4
    """Number of random images."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, images=self.images)


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """One Mixer with random weights per seed."""
    return [Arm("Mixer")]


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Compute logits and gradients both ways."""
    options, rng = lab.options, np.random.default_rng(seed)
    model = mixer(options.model, seed)
    for p in model.parameters():                        # biases and the head start at zero, which would hide errors
        p.data = p.data + 0.1 * rng.standard_normal(p.shape)
    images = Tensor(rng.standard_normal((options.images, 32, 32, 3)), requires_grad=True)
    labels = rng.integers(0, model.config.num_classes, options.images)
    names = ["images", *(name for name, _ in model.named_parameters())]
    leaves = [images, *model.parameters()]
    logits = {"Mixer": model(images), "convolutions": as_convnet(model, images)}
    mixers, convolved = (grad(F.cross_entropy(one, labels), leaves) for one in logits.values())
    # Some gradients are zero up to rounding: LayerNorm removes what fc2's bias adds to all channels of a patch.
    smallest = 1e-3 * max(np.abs(g).max() for g in mixers)
    gradients = {name: relative(one, other, smallest)
                 for name, one, other in zip(names, mixers, convolved, strict=True)}
    return {"logits": {way: one.data.tolist() for way, one in logits.items()},
            "logits_differ": relative(*(one.data for one in logits.values())),
            "gradients": gradients, "gradients_differ": max(gradients.values())}


def relative(one: Any, other: Any, smallest: float = 0.0) -> float:
    """The largest difference of two arrays, relative to the largest element, but at least to ``smallest``."""
    return float(np.abs(one - other).max() / max(np.abs(one).max(), smallest))


CLAIMS = (
    Claim("A Mixer is a very special CNN", "section 1", "stated, as an identity",
          "largest relative difference of a Mixer and its convolutions, in float64",
          lambda runs: [Part(what, runs.values("Mixer", f"{what}_differ")) for what in ("logits", "gradients")]
          if runs.lines else [], unit="relative", high=TOLERANCE, exact=True, digits=None),)


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Plot logits against logits, and the differences of all gradients, of every seed."""
    fig = figure(9, 3.8)
    logits, differences = fig.subplots(1, 2)
    results = list(runs.results("Mixer").values())
    pairs = [[np.ravel(result["logits"][way]) for way in ("Mixer", "convolutions")] for result in results]
    ends = [min(ours.min() for ours, _ in pairs), max(ours.max() for ours, _ in pairs)]
    logits.plot(ends, ends, color="0.6", linewidth=1)
    for ours, theirs in pairs:
        logits.plot(ours, theirs, marker="o", markersize=3, linestyle="", color=BLUE)
    differ = max(result["logits_differ"] for result in results)
    tidy(logits, "logit, by the Mixer", "logit, by convolutions",
         f"logits: relative difference {differ:.0e}" if differ else "logits: bitwise equal")
    for result in results:
        values = np.maximum(list(result["gradients"].values()), 1e-17)
        differences.semilogy(range(len(values)), values, marker=".", linestyle="", color=BLUE)
    differences.axhline(TOLERANCE, color=RED, linewidth=1, linestyle="--")
    differences.text(0, 1.4 * TOLERANCE, "1e-12", color=RED, fontsize=9)
    differences.set_ylim(5e-18, 1e-11)
    tidy(differences, "parameter, from the images to the head", "relative difference",
         "gradients (1e-17 means bitwise equal)")
    fig.suptitle(f"Mixer {runs.settings['model']} with random weights, computed in two ways, in float64, "
                 f"{len(results)} seed{'s' * (len(results) != 1)}")
    return fig
