"""``minimixer experiments complexity``: what a picture costs, by the number of its patches.

Three models see larger and larger pictures in patches of one size: a Mixer whose D_S stays as it is, a Mixer whose D_S
grows with the number of patches S, and a ViT of the same size.  Multiply-adds are counted in the graph that one picture
leaves.  Times are medians of blocks of steps in which all models and sizes take turns.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from statistics import median
from typing import TYPE_CHECKING, Any

from minimixer.bench.children import interleave
from minimixer.bench.report import table
from minimixer.bench.resolution import MODES, slope, steps_of, timed
from minimixer.console import at_least
from minimixer.experiments.learning import LOOKS, tidy
from minimixer.experiments.options import Options as Common
from minimixer.experiments.options import Size
from minimixer.nn import VARIANTS, VIT_VARIANTS, MlpMixer, Model, VisionTransformer, count_macs
from minimixer.parallel import Workers
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIXED, GROWING, VIT = "Mixer, D_S fixed", "Mixer, D_S grows with S", "ViT"


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """The options of ``complexity``."""

    model: Size = "nano"
    """Size of the models."""
    pixels: tuple[int, ...] = (32, 64, 96, 128, 192)
    """Sides of the pictures; the patches have 4 x 4 pixels."""
    batch_size: int = 4
    """Pictures a step."""
    rounds: int = 5
    """Turns of every model and size."""
    block: float = 0.3
    """Seconds of steps a turn, at least."""
    workers: int | None = 1
    """Threads; with more, so few small pictures leave some of them idle, and so many large ones do not."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, rounds=self.rounds, batch_size=self.batch_size)
        at_least(2, pixels=len(self.pixels))


def models(size: str, pixels: int) -> dict[str, Model]:
    """The three models for pictures of so many pixels."""
    mixer, vit = replace(VARIANTS[size], image_size=pixels), replace(VIT_VARIANTS[size], image_size=pixels)
    hidden = mixer.tokens_mlp_dim * mixer.num_patches // VARIANTS[size].num_patches
    return {FIXED: MlpMixer(mixer), GROWING: MlpMixer(replace(mixer, tokens_mlp_dim=hidden)),
            VIT: VisionTransformer(vit)}


def measure(options: Options) -> dict[str, Any]:
    """Count and time every model at every size."""
    options = options.shortened(model="pico", pixels=(16, 32), batch_size=2, rounds=1, block=0.01)
    sizes = {pixels: models(options.model, pixels) for pixels in options.pixels}
    macs = {name: [count_macs(of_size[name]) for of_size in sizes.values()] for name in (FIXED, GROWING, VIT)}
    with Workers(options.workers) as workers:
        blocks = {f"{name}, {mode}, {pixels}": partial(timed, step, options.batch_size, options.block)
                  for pixels, of_size in sizes.items() for name, model in of_size.items()
                  for mode, step in steps_of(model, options.batch_size, workers).items()}
        samples = interleave(blocks, options.rounds)
    seconds = {mode: {name: [samples[f"{name}, {mode}, {pixels}"] for pixels in sizes] for name in macs}
               for mode in MODES}
    return {"model": options.model, "pixels": list(sizes), "batch_size": options.batch_size,
            "patches": [of_size[FIXED].config.num_patches for of_size in sizes.values()], "macs": macs,
            "seconds": seconds}


def quantities(found: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    """What is drawn: multiply-adds, and median seconds of both modes, by model and number of patches."""
    times = {mode: {name: [median(samples) for samples in several] for name, several in of_mode.items()}
             for mode, of_mode in found["seconds"].items()}
    return {"macs": found["macs"], **times}


def report(found: dict[str, Any]) -> str:
    """Multiply-adds and times, then how they grow: over all sizes and, what is counted, between the last two."""
    values, patches = quantities(found), found["patches"]
    rows = [[name, str(pixels), str(s), f"{values['macs'][name][i] / 1e6:,.1f}",
             *(f"{1e3 * values[mode][name][i]:,.2f}" for mode in MODES)]
            for name, (i, (pixels, s)) in product(found["macs"], enumerate(zip(found["pixels"], patches, strict=True)))]
    slopes = [[name, f"{slope(patches[-2:], several[-2:]):.2f}",
               *(f"{slope(patches, of[name]):.2f}" for of in values.values())]
              for name, several in found["macs"].items()]
    return (table(["model", "pixels", "S", "M MACs", *(f"{mode}, ms" for mode in MODES)], rows)
            + "\n\nExponents, of S: 1 is linear, 2 quadratic.\n\n"
            + table(["model", "MACs, last two sizes", *(f"{what}, all" for what in ("MACs", *MODES))], slopes))


def draw(found: dict[str, Any]) -> "Figure":
    """Multiply-adds and training time against the number of patches."""
    picture = figure(9.4, 4)
    values, patches = quantities(found), found["patches"]
    # What is counted is exact; times of two neighbouring sizes alone would say little.
    for axes, what, scale, label, title, (first, growing) in zip(
            picture.subplots(1, 2), ("macs", "training"), (1e-6, 1e3),
            ("million multiply-adds a picture", "ms a picture"), ("counted, forward", "measured, training step"),
            ((-2, "growth between the last two sizes"), (0, "growth over all sizes")), strict=True):
        for (name, several), (colour, line, marker) in zip(values[what].items(), LOOKS, strict=False):
            growth = slope(patches[first:], several[first:])
            axes.loglog(patches, [scale * value for value in several], color=colour, linestyle=line, marker=marker,
                        markersize=5, label=f"{name}: $S^{{{growth:.2f}}}$")
        axes.set_xticks(patches, [f"{s}\n({pixels} px)" for s, pixels in zip(patches, found["pixels"], strict=True)])
        axes.minorticks_off()
        tidy(axes, "patches S (side of the picture)", label, title)
        axes.legend(frameon=False, fontsize=9, title=growing, title_fontsize=9, alignment="left")
    picture.suptitle(f"What a picture costs by the number of its patches, {found['model']} models")
    return picture
