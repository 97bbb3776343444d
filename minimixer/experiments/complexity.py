"""``minimixer experiments complexity``: the cost of an image by its number of patches.

Three models process larger and larger images with a fixed patch size: a Mixer with fixed D_S, a Mixer whose D_S grows
with the number of patches S, and a ViT of the same size.  Multiply-adds are counted in the graph of one image.  Times
are medians over rounds in which all models and sizes take turns.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar

from minimixer.bench.report import table
from minimixer.bench.resolution import MODES, slope
from minimixer.bench.steps import step_of
from minimixer.bench.timing import interleave, seconds_per_call
from minimixer.console import at_least
from minimixer.experiments.learning import LOOKS, tidy
from minimixer.experiments.options import Options as Common
from minimixer.experiments.options import Size
from minimixer.nn import MIXERS, VITS, MlpMixer, Model, VisionTransformer, count_macs
from minimixer.options import Rule
from minimixer.parallel import Workers
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIXED, GROWING, VIT = "Mixer, D_S fixed", "Mixer, D_S grows with S", "ViT"


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """Options of ``experiments complexity``."""

    model: Size = "nano"
    """Size of the models."""
    pixels: tuple[int, ...] = (32, 64, 96, 128, 192)
    """Sides of the images in pixels; patches have 4 x 4 pixels."""
    batch_size: int = 4
    """Images per step."""
    rounds: int = 5
    """Rounds; every model and size has one turn per round."""
    block: float = 0.3
    """Minimum seconds per turn."""
    workers: int | None = 1
    """Threads. More would be idle for small images but busy for large ones, which distorts the comparison."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("model", "pixels", "batch_size", "rounds", "block"), lambda given: given.quick,
             "with --quick (it measures two small sizes once)", "leave out --quick"),)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, rounds=self.rounds, batch_size=self.batch_size)
        at_least(2, pixels=len(self.pixels))


def models(size: str, pixels: int) -> dict[str, Model]:
    """The three models for images of ``pixels`` x ``pixels``."""
    mixer, vit = replace(MIXERS[size], image_size=pixels), replace(VITS[size], image_size=pixels)
    hidden = mixer.tokens_mlp_dim * mixer.num_patches // MIXERS[size].num_patches
    return {FIXED: MlpMixer(mixer), GROWING: MlpMixer(replace(mixer, tokens_mlp_dim=hidden)),
            VIT: VisionTransformer(vit)}


def measure(options: Options) -> dict[str, Any]:
    """Count multiply-adds and time every model at every size."""
    options = options.shortened(model="pico", pixels=(16, 32), batch_size=2, rounds=1, block=0.01)
    sizes = {pixels: models(options.model, pixels) for pixels in options.pixels}
    macs = {name: [count_macs(of_size[name]) for of_size in sizes.values()] for name in (FIXED, GROWING, VIT)}
    with Workers(options.workers) as workers:
        blocks = {f"{name}, {mode}, {pixels}": partial(
            seconds_per_call, step_of(model, options.batch_size, workers, mode == "training"), options.block)
            for pixels, of_size in sizes.items() for name, model in of_size.items() for mode in MODES}
        samples = interleave(blocks, options.rounds)
    seconds = {mode: {name: [[s / options.batch_size for s in samples[f"{name}, {mode}, {pixels}"]] for pixels in sizes]
                      for name in macs}
               for mode in MODES}
    return {"model": options.model, "pixels": list(sizes), "batch_size": options.batch_size,
            "patches": [of_size[FIXED].config.num_patches for of_size in sizes.values()], "macs": macs,
            "seconds": seconds}


def quantities(found: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Multiply-adds, and median seconds of both modes, by model and number of patches."""
    times = {mode: {name: [median(samples) for samples in several] for name, several in of_mode.items()}
             for mode, of_mode in found["seconds"].items()}
    return {"macs": found["macs"], **times}


def report(found: dict[str, Any]) -> str:
    """Multiply-adds and times, and their exponents: over all sizes, and for multiply-adds also over the last two."""
    values, patches = quantities(found), found["patches"]
    rows = [[name, str(pixels), str(s), f"{values['macs'][name][i] / 1e6:,.1f}",
             *(f"{1e3 * values[mode][name][i]:,.2f}" for mode in MODES)]
            for name, (i, (pixels, s)) in product(found["macs"], enumerate(zip(found["pixels"], patches, strict=True)))]
    slopes = [[name, f"{slope(patches[-2:], several[-2:]):.2f}",
               *(f"{slope(patches, of[name]):.2f}" for of in values.values())]
              for name, several in found["macs"].items()]
    return (table(["model", "pixels", "S", "M MACs", *(f"{mode}, ms" for mode in MODES)], rows)
            + "\n\nExponents of S: 1 is linear, 2 quadratic.\n\n"
            + table(["model", "MACs, last two sizes", *(f"{what}, all" for what in ("MACs", *MODES))], slopes))


def draw(found: dict[str, Any]) -> "Figure":
    """Plot multiply-adds and training time over the number of patches."""
    fig = figure(9.4, 4)
    values, patches = quantities(found), found["patches"]
    # Counts are exact, so two sizes are enough for an exponent; times are too noisy for that.
    for axes, what, scale, label, title, (first, growing) in zip(
            fig.subplots(1, 2), ("macs", "training"), (1e-6, 1e3),
            ("million multiply-adds per image", "ms per image"), ("counted, forward", "measured, training step"),
            ((-2, "growth between the last two sizes"), (0, "growth over all sizes")), strict=True):
        for (name, several), (color, line, marker) in zip(values[what].items(), LOOKS, strict=False):
            growth = slope(patches[first:], several[first:])
            axes.loglog(patches, [scale * value for value in several], color=color, linestyle=line, marker=marker,
                        markersize=5, label=f"{name}: $S^{{{growth:.2f}}}$")
        axes.set_xticks(patches, [f"{s}\n({pixels} px)" for s, pixels in zip(patches, found["pixels"], strict=True)])
        axes.minorticks_off()
        tidy(axes, "patches S (image size)", label, title)
        axes.legend(frameon=False, fontsize=9, title=growing, title_fontsize=9, alignment="left")
    fig.suptitle(f"Cost per image by number of patches, {found['model']} models")
    return fig
