"""Time per image against resolution: a Mixer with a fixed tokens_mlp_dim is linear in the number of patches.

    python -m tests.benchmarks.resolution --plot resolution.png --json resolution.json

The Mixer is micro at 32, 64, 96 and 128 pixels.  The machine must be idle.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from children import interleave
from report import describe, machine, table

import minimixer as mm
from minimixer import nn
from minimixer.train.parallel import ShardedModel, Workers

PIXELS = (32, 64, 96, 128)
MODES = ("inference", "training")


def steps_at(pixels: int, batch: int, workers: Workers) -> dict[str, Callable[[], Any]]:
    """A step of inference and one of training on random pictures of a size."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (batch, pixels, pixels, 3), np.uint8), rng.integers(0, 10, batch)
    half, quarter = np.full(3, 0.5, np.float32), np.full(3, 0.25, np.float32)
    model = ShardedModel(nn.MlpMixer(replace(nn.VARIANTS["micro"], image_size=pixels)), workers, half, quarter, 0.1)
    optimizer = mm.optim.AdamW(model.params, 1e-3, weight_decay=0.05)

    def train() -> None:
        _, _, gradients = model.gradients(images, labels, 0)
        optimizer.step(mm.optim.clip_by_global_norm(gradients, 1.0)[0])
    return {"inference": lambda: model.predict(images), "training": train}


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


def main() -> None:
    """Measure, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=None, help="default: physical cores")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every sample and the machine")
    parser.add_argument("--date", help="to be written down with the machine")
    options = parser.parse_args()

    here = machine(options.date)
    with Workers(options.threads) as workers:
        steps = {pixels: steps_at(pixels, options.batch, workers) for pixels in PIXELS}
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


if __name__ == "__main__":
    main()
