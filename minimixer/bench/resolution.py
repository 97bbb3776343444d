"""``minimixer bench resolution``: with a fixed tokens_mlp_dim, a Mixer's time is linear in the number of patches.

Times the micro Mixer at 32, 64, 96 and 128 pixels.  The machine must be idle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np

from minimixer import nn
from minimixer.bench.machine import describe, machine
from minimixer.bench.report import table
from minimixer.bench.results import check_results, write_json
from minimixer.bench.steps import step_of
from minimixer.bench.timing import interleave, seconds_per_call
from minimixer.console import Computing, at_least, parse
from minimixer.errors import OK
from minimixer.parallel.workers import Workers

PIXELS = (32, 64, 96, 128)
MODES = ("inference", "training")


def slope(patches: list[int], seconds: list[float]) -> float:
    """Slope of log(time) over log(S): 1 is linear, 2 quadratic."""
    return float(np.polyfit(np.log(patches), np.log(seconds), 1)[0])


def plot(patches: list[int], seconds: dict[str, list[float]], slopes: dict[str, float], path: Path) -> None:
    """Plot time per image over the number of patches, both on log scales, into a PNG file."""
    from matplotlib.ticker import NullFormatter

    from minimixer.plots import BLUE, ORANGE, figure
    from minimixer.plots.style import declutter, save
    fig = figure(5.4, 4)
    axes = fig.subplots()
    for mode, color, marker in zip(MODES, (BLUE, ORANGE), "os", strict=True):
        ms = [1e3 * s for s in seconds[mode]]
        axes.loglog(patches, ms, color=color, marker=marker, label=f"{mode}: slope {slopes[mode]:.2f}")
        axes.loglog(patches, [ms[0] * s / patches[0] for s in patches], color="0.6", linestyle=":", zorder=0,
                    label="linear" if mode == MODES[-1] else None)
    axes.set(xlabel="patches S (image size in pixels)", ylabel="time per image (ms)",
             title="micro Mixer with tokens_mlp_dim fixed")
    axes.set_xticks(patches, [f"{s}\n({p} px)" for s, p in zip(patches, PIXELS, strict=True)])
    axes.xaxis.set_minor_formatter(NullFormatter())
    declutter(axes)
    axes.legend(frameon=False)
    save(fig, path)


@dataclass(frozen=True)
class Resolution(Computing):
    """Options of ``bench resolution``."""

    rounds: int = 5
    """Rounds; every resolution has one turn per round."""
    batch: int = 32
    """Images per step."""
    threads: int | None = None
    """Threads; by default one per physical core."""
    plot: Path | None = None
    """Plot the times into this .png file."""
    json: Path | None = None
    """Write all samples and the machine to this file."""

    def __post_init__(self) -> None:
        at_least(1, rounds=self.rounds, batch=self.batch, threads=self.threads)


def main(arguments: Sequence[str]) -> int:
    """Measure, fit, print."""
    options = parse(Resolution, "bench resolution", "Time per image of the micro Mixer at 32, 64, 96 and 128 pixels.",
                    arguments)
    check_results("resolution", json=options.json, plot=options.plot)
    here = machine()
    with Workers(options.threads) as workers:
        models = {pixels: nn.mixer("micro", image_size=pixels) for pixels in PIXELS}
        blocks = {f"{mode} at {pixels}": partial(
            seconds_per_call, step_of(models[pixels], options.batch, workers, mode == "training"))
            for pixels, mode in product(PIXELS, MODES)}
        samples = {name: [seconds / options.batch for seconds in several]
                   for name, several in interleave(blocks, options.rounds).items()}
    patches = [replace(nn.MIXERS["micro"], image_size=pixels).num_patches for pixels in PIXELS]
    seconds = {mode: [median(samples[f"{mode} at {pixels}"]) for pixels in PIXELS] for mode in MODES}
    slopes = {mode: slope(patches, seconds[mode]) for mode in MODES}

    rows = [[str(pixels), str(s), *(f"{1e3 * seconds[mode][i]:.3f}" for mode in MODES)]
            for i, (pixels, s) in enumerate(zip(PIXELS, patches, strict=True))]
    rows.append(["slope", "", *(f"{slopes[mode]:.2f}" for mode in MODES)])
    print(describe(here), table(["pixels", "S", *(f"{mode}, ms per image" for mode in MODES)], rows), sep="\n\n")
    if options.plot:
        plot(patches, seconds, slopes, options.plot)
    if options.json:
        write_json(options.json, {"machine": here, "batch": options.batch, "patches": patches, "samples": samples,
                                  "slopes": slopes})
    return OK
