"""``minimixer experiments complexity``: the cost of an image by its number of patches.

Three models process larger and larger images with a fixed patch size: a Mixer with fixed D_S, a Mixer whose D_S grows
with the number of patches S, and a ViT of the same size.  Multiply-adds are counted in the graph of one image.  Each
seed is a round, in which all models and sizes are timed once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, Any, ClassVar

from minimixer.bench.resolution import MODES, slope
from minimixer.bench.steps import step_of
from minimixer.bench.timing import seconds_per_call
from minimixer.console import at_least
from minimixer.experiments.figures import LOOKS, finite, quantities, tidy
from minimixer.experiments.lab import Lab
from minimixer.experiments.options import Options as Common
from minimixer.experiments.options import Size, several
from minimixer.experiments.runs import Arm, Runs, paired
from minimixer.experiments.verdicts import Claim, Part
from minimixer.nn import MIXERS, VITS, MlpMixer, Model, VisionTransformer, count_macs
from minimixer.options import Rule
from minimixer.plots import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
        several(pixels=self.pixels)

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
          lambda runs: [Part(f"ViT - Mixer, {what}",
                             paired(runs.values(VIT, f"exponent_{what}"), runs.values(FIXED, f"exponent_{what}")))
                        for what in MODES if runs.lines], unit="exponent", low=0, digits=2))


def draw(runs: Runs, claims: Sequence[Mapping[str, Any]]) -> "Figure":
    """Plot multiply-adds and training time over the number of patches, and images per second over the resolution.

    Without times, the exponents are drawn in their place.
    """
    timed = any("training" in result for arm in runs.arms for result in runs.results(arm).values())
    fig = figure(12.5 if timed else 9.5, 4)
    counted, *measured = fig.subplots(1, 3 if timed else 2)
    costs(counted, runs, "macs", "exponent_end", lambda macs: macs / 1e6)
    tidy(counted, "patches S (image size)", "million multiply-adds per image", "counted, forward")
    if timed:
        costs(measured[0], runs, "training", "exponent_training", lambda seconds: 1e3 * seconds)
        tidy(measured[0], "patches S (image size)", "ms per image", "measured, training step")
        costs(measured[1], runs, "inference", None, lambda seconds: 1 / seconds)
        tidy(measured[1], "patches S (image size)", "images per second", "measured, inference")
    else:
        quantities(measured[0], claims[1:], "measured growth of the time with S")
    seeds = len({line["seed"] for line in runs})
    fig.suptitle(f"Cost per image by number of patches, {runs.settings['model']} models, {seeds} "
                 f"round{'s' * (seeds != 1)}")
    return fig


def costs(axes: "Axes", runs: Runs, what: str, exponent: str | None, scaled: Callable[[float], float]) -> None:
    """Plot one kind of cost of all models over the number of patches, on log scales, with one line per round."""
    for arm, (color, line, marker) in zip(runs.arms, LOOKS, strict=False):
        growth = finite(runs.values(arm, exponent)) if exponent else []
        label = f"{arm}: $S^{{{mean(growth):.2f}}}$" if growth else arm
        for i, result in enumerate(runs.results(arm).values()):
            axes.loglog(result["patches"], [scaled(value) for value in result[what]], color=color, linestyle=line,
                        marker=marker, markersize=4, linewidth=0.8, label=None if i else label)
            axes.set_xticks(result["patches"], [f"{s}\n({pixels} px)" for s, pixels in
                                                zip(result["patches"], result["pixels"], strict=True)],
                            fontsize=7.5)
    axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
