"""``minimixer bench resolution``: a Mixer with a fixed tokens_mlp_dim takes time linear in the number of patches.

The Mixer is micro at 32, 64, 96 and 128 pixels.  The machine must be idle.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import minimixer as mm
from minimixer import nn
from minimixer.bench.children import interleave
from minimixer.bench.peers import LR, SMOOTHING, WEIGHT_DECAY, training_step
from minimixer.bench.report import describe, machine, table
from minimixer.console import Computing, at_least, parse
from minimixer.errors import OK
from minimixer.parallel import ShardedModel, Workers

PIXELS = (32, 64, 96, 128)
MODES = ("inference", "training")


def steps_of(model: nn.Model, batch: int, workers: Workers) -> dict[str, Callable[[], Any]]:
    """A step of inference and one of training on random pictures of the model's size."""
    rng, pixels = np.random.default_rng(0), model.config.image_size
    images, labels = rng.integers(0, 256, (batch, pixels, pixels, 3), np.uint8), rng.integers(0, 10, batch)
    half, quarter = np.full(3, 0.5, np.float32), np.full(3, 0.25, np.float32)
    sharded = ShardedModel(model, workers, half, quarter, SMOOTHING)
    optimizer = mm.optim.AdamW(sharded.params, LR, weight_decay=WEIGHT_DECAY)
    return {"inference": lambda: sharded.predict(images),
            "training": lambda: training_step(sharded, optimizer, images, labels)}


def timed(step: Callable[[], Any], batch: int, at_least: float = 0.5) -> float:
    """Seconds per image of as many steps as last so long, after one that is not counted."""
    step()
    start, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < at_least:
        step()
        count += 1
    return seconds / count / batch


def slope(patches: list[int], seconds: list[float]) -> float:
    """Of log(time) against log(S): 1 is linear, 2 quadratic."""
    return float(np.polyfit(np.log(patches), np.log(seconds), 1)[0])


def plot(patches: list[int], seconds: dict[str, list[float]], slopes: dict[str, float], path: Path) -> None:
    """Draw time per image against the number of patches, both on logarithmic scales, into a PNG file."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    from minimixer.plots import BLUE, ORANGE
    figure = Figure(figsize=(5.4, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for mode, color, marker in zip(MODES, (BLUE, ORANGE), "os", strict=True):
        ms = [1e3 * s for s in seconds[mode]]
        axes.loglog(patches, ms, color=color, marker=marker, label=f"{mode}: slope {slopes[mode]:.2f}")
        axes.loglog(patches, [ms[0] * s / patches[0] for s in patches], color="0.6", linestyle=":", zorder=0,
                    label="linear" if mode == MODES[-1] else None)
    axes.set(xlabel="patches S (side of the picture in pixels)", ylabel="time per image (ms)",
             title="micro Mixer with tokens_mlp_dim fixed")
    axes.set_xticks(patches, [f"{s}\n({p} px)" for s, p in zip(patches, PIXELS, strict=True)])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path)


@dataclass(frozen=True)
class Resolution(Computing):
    """How the time by resolution is measured."""

    rounds: int = 5
    """Turns of every resolution."""
    batch: int = 32
    """Pictures a step."""
    threads: int | None = None
    """By default one a physical core."""
    plot: Path | None = None
    """Draw the times into this .png file."""
    json: Path | None = None
    """Write every sample and the machine into this file."""

    def __post_init__(self) -> None:
        at_least(1, rounds=self.rounds, batch=self.batch, threads=self.threads)


def main(arguments: Sequence[str]) -> int:
    """Measure, fit, print."""
    options = parse(Resolution, "bench resolution", "Time an image of the micro Mixer at 32, 64, 96 and 128 pixels.",
                    arguments)
    here = machine()
    with Workers(options.threads) as workers:
        steps = {pixels: steps_of(nn.mixer("micro", image_size=pixels), options.batch, workers) for pixels in PIXELS}
        samples = interleave({f"{mode} at {pixels}": partial(timed, steps[pixels][mode], options.batch)
                              for pixels, mode in product(PIXELS, MODES)}, options.rounds)
    patches = [replace(nn.VARIANTS["micro"], image_size=pixels).num_patches for pixels in PIXELS]
    seconds = {mode: [median(samples[f"{mode} at {pixels}"]) for pixels in PIXELS] for mode in MODES}
    slopes = {mode: slope(patches, seconds[mode]) for mode in MODES}

    rows = [[str(pixels), str(s), *(f"{1e3 * seconds[mode][i]:.3f}" for mode in MODES)]
            for i, (pixels, s) in enumerate(zip(PIXELS, patches, strict=True))]
    rows.append(["slope", "", *(f"{slopes[mode]:.2f}" for mode in MODES)])
    print(describe(here), table(["pixels", "S", *(f"{mode}, ms an image" for mode in MODES)], rows), sep="\n\n")
    if options.plot:
        plot(patches, seconds, slopes, options.plot)
    if options.json:
        options.json.write_text(json.dumps({"machine": here, "batch": options.batch, "patches": patches,
                                            "samples": samples, "slopes": slopes}, indent=1))
    return OK
