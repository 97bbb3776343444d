"""``minimixer experiments ablation``: what a Mixer loses without its parts, and what a position embedding adds.

Compares the full Mixer; one without skip connections; one without token mixing, in which patches meet only in the final
mean; and one with a learned vector added to every patch, as in a ViT.  All start from the same weights.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.bench.report import table
from minimixer.console import at_least
from minimixer.experiments.learning import last, learn, load_data, name_of, plot_curves, spread
from minimixer.experiments.options import Learning
from minimixer.nn import Linear, MixerBlock, MlpMixer, Module
from minimixer.nn.vit import POSITION_STD
from minimixer.parallel import Workers
from minimixer.plots import figure
from minimixer.tensor import Tensor
from minimixer.train.initialize import build_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class WithoutSkips(Module):
    """A Mixer block without residual connections.  x: (B, S, C) -> the same shape."""

    def __init__(self, block: MixerBlock):
        self.token_norm, self.token_mixing = block.token_norm, block.token_mixing
        self.channel_norm, self.channel_mixing = block.channel_norm, block.channel_mixing

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, S, C) -> the same shape."""
        x = self.token_mixing(self.token_norm(x).swapaxes(1, 2)).swapaxes(1, 2)         # (B, S, C)
        return self.channel_mixing(self.channel_norm(x))


class WithoutTokenMixing(Module):
    """The channel-mixing half of a Mixer block: patches do not interact.  x: (B, S, C) -> the same shape."""

    def __init__(self, block: MixerBlock):
        self.channel_norm, self.channel_mixing = block.channel_norm, block.channel_mixing

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, S, C) -> the same shape."""
        return x + self.channel_mixing(self.channel_norm(x))


class StemWithPosition(Module):
    """A stem that adds a learned vector to every patch.  x: (B, S, P * P * channels) -> (B, S, C)."""

    def __init__(self, stem: Linear, num_patches: int, seed: int):
        shape = num_patches, stem.bias.size
        position = np.random.default_rng(seed).normal(0, POSITION_STD, shape).astype(np.float32)
        self.stem = stem
        self.position = Tensor(position, requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, S, P * P * channels) -> (B, S, C)."""
        return self.stem(x) + self.position


def without_skips(model: Any, seed: int) -> Any:
    """Remove the skip connections of a Mixer, in place."""
    model.blocks = [WithoutSkips(block) for block in model.blocks]
    return model


def without_token_mixing(model: Any, seed: int) -> Any:
    """Remove the token mixing of a Mixer, in place."""
    model.blocks = [WithoutTokenMixing(block) for block in model.blocks]
    return model


def with_position(model: Any, seed: int) -> Any:
    """Add a position embedding to a Mixer, in place."""
    model.stem = StemWithPosition(model.stem, model.config.num_patches, seed)
    return model


def unchanged(model: Any, seed: int) -> Any:
    """The full Mixer."""
    return model


VARIANTS: dict[str, Callable[[MlpMixer, int], MlpMixer]] = {
    "Mixer": unchanged, "no skips": without_skips, "no token mixing": without_token_mixing,
    "position added": with_position}


@dataclass(frozen=True, kw_only=True)
class Options(Learning):
    """Options of ``experiments ablation``."""

    blocks: int | None = None
    """Number of Mixer blocks; by default that of the size."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, blocks=self.blocks)


def measure(options: Options) -> dict[str, Any]:
    """Train every variant with every seed."""
    options = options.small
    dataset = load_data(options)
    groups: dict[str, list[Any]] = {name: [] for name in VARIANTS}
    with Workers(options.workers) as workers:
        for seed in options.seeds:
            for name, change in VARIANTS.items():
                config = options.config(options.model, seed)
                model: Any = build_model(config, dataset)
                if options.blocks is not None:
                    model = MlpMixer(replace(model.config, num_blocks=options.blocks), seed)
                groups[name].append(learn(name, config, workers, dataset, change(model, seed))[1])
    return {"data": dataset.name, "model": options.model, "blocks": len(model.blocks), "groups": groups}


def report(found: dict[str, Any]) -> str:
    """One row per variant."""
    whole = mean(last(found["groups"]["Mixer"]))
    rows = [[name, f"{curves[0]['parameters']:,}", spread(last(curves)), f"{100 * (mean(last(curves)) - whole):+.1f}",
             f"{mean(last(curves, 'train_loss')):.3f}"] for name, curves in found["groups"].items()]
    return table(["variant", "parameters", "accuracy, %", "difference to Mixer", "training loss, nats"], rows)


def draw(found: dict[str, Any]) -> "Figure":
    """Accuracy and training loss of every variant."""
    fig = figure(9, 3.8)
    accuracies, losses = fig.subplots(1, 2)
    plot_curves(accuracies, found["groups"], title="test accuracy")
    plot_curves(losses, found["groups"], "train_loss", "training loss")
    fig.suptitle(f"{name_of(found['data'])}: Mixer {found['model']}, {found['blocks']} blocks, ablated")
    return fig
