"""``minimixer experiments complexity``: the cost of an image by its number of patches.

Three models process larger and larger images with a fixed patch size: a Mixer with fixed D_S, a Mixer whose D_S grows
with the number of patches S, and a ViT of the same size.  Multiply-adds are counted in the graph of one image.  Each
seed is a round, in which all models and sizes are timed once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, Any, ClassVar

from minimixer.bench.resolution import MODES, slope
from minimixer.bench.steps import step_of
from minimixer.bench.timing import seconds_per_call
from minimixer.console import at_least
from minimixer.experiments.figures import LOOKS, finite, tidy
from minimixer.experiments.lab import Lab
from minimixer.experiments.options import Options as Common
from minimixer.experiments.options import Size
from minimixer.experiments.runs import Arm, Runs, paired
from minimixer.experiments.verdicts import Claim, Part
from minimixer.nn import MIXERS, VITS, MlpMixer, Model, VisionTransformer, count_macs
from minimixer.options import Rule
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIXED, GROWING, VIT = "Mixer, D_S fixed", "Mixer, D_S grows with S", "ViT"


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """Options of ``experiments complexity``."""

    seeds: int = 5
    """Rounds; every model and size has one turn per round."""
    model: Size = "nano"
    """Size of the models."""
    pixels: tuple[int, ...] = (32, 64, 96, 128, 192)
    """Sides of the images in pixels; patches have 4 x 4 pixels."""
    batch_size: int = 4
    """Images per step."""
    block: float = 0.3
    """Minimum seconds per turn."""
    workers: int | None = 1
    """Threads. More would be idle for small images but busy for large ones, which distorts the comparison."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("model", "pixels", "batch_size", "block"), lambda given: given.quick,
             "with --quick (it measures two small sizes)", "leave out --quick"),)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, batch_size=self.batch_size)
        at_least(2, pixels=len(self.pixels))

    @property
    def small(self) -> "Options":
        """The options, reduced to two small sizes if --quick is set."""
        return self.shortened(seeds=2, model="pico", pixels=(16, 32), batch_size=2, block=0.01)


def models(size: str, pixels: int) -> dict[str, Model]:
    """The three models for images of ``pixels`` x ``pixels``."""
    mixer, vit = replace(MIXERS[size], image_size=pixels), replace(VITS[size], image_size=pixels)
    hidden = mixer.tokens_mlp_dim * mixer.num_patches // MIXERS[size].num_patches
    return {FIXED: MlpMixer(mixer), GROWING: MlpMixer(replace(mixer, tokens_mlp_dim=hidden)),
            VIT: VisionTransformer(vit)}


def arms(lab: Lab, runs: Runs) -> list[Arm]:
    """The three models."""
    return [Arm(name, {"threads": lab.workers.count}) for name in (FIXED, GROWING, VIT)]


def run(lab: Lab, arm: Arm, seed: int) -> dict[str, Any]:
    """Count multiply-adds and time one model at every size, once.

    Returns
    -------
    dict
        ``patches``, ``macs``, and seconds per image of both modes, one entry per size; ``exponent_WHAT``: their growth
        with the number of patches, over all sizes; ``exponent_end``: that of the multiply-adds between the last two.
    """
    options = lab.options
    sizes = [models(options.model, pixels)[arm.name] for pixels in options.pixels]
    patches = [(pixels // MIXERS[options.model].patch_size) ** 2 for pixels in options.pixels]
    found: dict[str, list[Any]] = {"macs": [count_macs(model) for model in sizes]}
    for mode in MODES:
        found[mode] = [seconds_per_call(step_of(model, options.batch_size, lab.workers, mode == "training"),
                                        options.block) / options.batch_size for model in sizes]
    return {"pixels": list(options.pixels), "patches": patches, **found,
            "exponent_end": slope(patches[-2:], found["macs"][-2:]),
            **{f"exponent_{what}": slope(patches, several) for what, several in found.items()}}


def rows(runs: Runs) -> tuple[Sequence[str], list[list[str]]]:
    """The exponents of S of every model, means over the rounds."""
    columns = {"MACs, last two sizes": "exponent_end", "MACs, all": "exponent_macs",
               **{f"{mode}, all": f"exponent_{mode}" for mode in MODES}}
    return (["exponent of S", *columns],
            [[arm, *(f"{mean(values):.2f}" if (values := finite(runs.values(arm, key))) else ""
                     for key in columns.values())] for arm in runs.arms])


def exponents(runs: Runs, arm: str, *whats: str) -> list[Part]:
    """How the costs of a model grow with the number of patches."""
    return [Part(f"{arm}, {what}", runs.values(arm, f"exponent_{what}")) for what in whats if runs.lines]


CLAIMS = (
    Claim("The cost of a Mixer is linear in the number of patches", "section 2", "linear",
          "exponent of S, multiply-adds between the last two sizes",
          lambda runs: [Part(FIXED, runs.values(FIXED, "exponent_end"))] if runs.lines else [], unit="exponent",
          low=0.9, high=1.1, exact=True, digits=2),
    Claim("Its time, too", "section 2", "linear", "exponent of S, seconds per image",
          lambda runs: exponents(runs, FIXED, *MODES), unit="exponent", low=0.85, high=1.15, digits=2),
    Claim("The cost of a ViT grows faster", "section 2; table 3",
          "quadratic; Mixer-L/16 has 1.5 times the images/s of ViT-L/16 at 224 pixels, 3.3 times at 448",
          "exponent of S, ViT minus Mixer",
          lambda runs: [Part(what, paired(runs.values(VIT, f"exponent_{what}"), runs.values(FIXED, f"exponent_{what}")))
                        for what in MODES if runs.lines], unit="exponent", low=0, digits=2))


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Plot multiply-adds and training time over the number of patches, and images per second over the resolution."""
    fig = figure(12.5, 4)
    for axes, what, scale, invert, ylabel, title in zip(
            fig.subplots(1, 3), ("macs", "training", "inference"), (1e-6, 1e3, 1), (False, False, True),
            ("million multiply-adds per image", "ms per image", "images per second"),
            ("counted, forward", "measured, training step", "measured, inference"), strict=True):
        for arm, (color, line, marker) in zip(runs.arms, LOOKS, strict=False):
            results = [result for result in runs.results(arm).values() if what in result]
            key = "exponent_end" if what == "macs" else f"exponent_{what}"
            label = f"{arm}: $S^{{{mean(finite(runs.values(arm, key))):.2f}}}$"
            for i, result in enumerate(results):
                values = [1 / value if invert else scale * value for value in result[what]]
                axes.loglog(result["patches"], values, color=color, linestyle=line, marker=marker, markersize=4,
                            linewidth=0.8, label=None if i else label)
            if results:
                axes.set_xticks(results[0]["patches"], [f"{s}\n({pixels} px)" for s, pixels in
                                                        zip(results[0]["patches"], results[0]["pixels"], strict=True)])
                axes.minorticks_off()
        tidy(axes, "patches S (image size)", ylabel, title)
        if not axes.lines:
            axes.set_visible(False)
    seeds = len({line["seed"] for line in runs})
    fig.suptitle(f"Cost per image by number of patches, {runs.settings['model']} models, {seeds} "
                 f"round{'s' * (seeds != 1)}")
    return fig
