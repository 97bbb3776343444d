"""``minimixer bench augmentation``: what augmentation costs compared to a training step, and what it looks like.

Prepares batches of 128 CIFAR-10 images as in training; the training step is that of the micro Mixer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from minimixer import data, nn, plots
from minimixer.bench.machine import describe, machine
from minimixer.bench.report import table
from minimixer.bench.results import check_results
from minimixer.bench.timing import seconds_of
from minimixer.console import Computing, at_least, parse
from minimixer.data import Augmentation, Batches, Dataset
from minimixer.data.mix import random_erasing
from minimixer.data.randaugment.reference import OPERATIONS, change
from minimixer.errors import OK
from minimixer.parallel import ShardedModel, Workers

BATCH = 128
KINDS = {
    "none": Augmentation(),
    "crop_padding=4": Augmentation(crop_padding=4),
    "flip": Augmentation(flip=True),
    "randaugment=1": Augmentation(randaugment=1),
    "randaugment=2": Augmentation(randaugment=2),
    "erasing=0.25": Augmentation(erasing=0.25),
    "cutmix=1": Augmentation(cutmix=1.0),
    "mixup=0.8": Augmentation(mixup=0.8),
    "all of them, randaugment=2": Augmentation(4, True, 2, 10, 0.25, 1.0, 0.8),
}


def batch_seconds(dataset: Dataset, augmentation: Augmentation, count: int) -> float:
    """Median seconds to prepare one batch."""
    batches = Batches(dataset, BATCH, 0, augmentation)
    return median(seconds_of(partial(batches.__getitem__, step)) for step in range(count))


def step_seconds(dataset: Dataset, count: int) -> float:
    """Median seconds to compute the gradients of one training step of the micro Mixer."""
    images, labels = Batches(dataset, BATCH)[0]
    with Workers() as workers:
        model = ShardedModel(nn.mixer("micro"), workers, *dataset.channel_statistics())
        return median(seconds_of(partial(model.gradients, images, labels, step)) for step in range(count))


def gallery(dataset: Dataset, path: Path) -> None:
    """Draw one image with each augmentation, mixed images, and all augmentations together."""
    firsts = [dataset.train_images[np.flatnonzero(dataset.train_labels == k)[i]]
              for k, i in enumerate((7, 3, 2, 5, 1, 4, 6, 2))]
    horse = firsts[7][None]
    shown = [("image", horse[0]), ("pad_crop", data.pad_crop(horse, 4, np.array([[8, 1]]))[0]),
             ("flip", data.flip(horse, np.array([True]))[0])]
    shown += [(name, change(horse, np.array([i]), np.array([0.8]))[0]) for i, name in enumerate(OPERATIONS) if i]
    shown.append(("random_erasing", random_erasing(horse, 1, np.random.default_rng(3))[0]))
    for kind, augmentation in (("CutMix", Augmentation(cutmix=1.0)), ("mixup", Augmentation(mixup=1.0))):
        images, targets = augmentation.mix(np.stack(firsts), np.arange(8), 10, np.random.default_rng(5))
        chosen = [i for i in range(8) if 0.3 < targets[i].max() < 0.8][:4 if kind == "CutMix" else 3]
        for i in chosen:
            shares = [f"{dataset.class_names[k]}\N{NO-BREAK SPACE}{targets[i, k]:.0%}"
                      for k in np.argsort(-targets[i])[:2]]
            shown.append((f"{kind}: {shares[0]}, {shares[1]}", images[i]))
    everything = Augmentation(crop_padding=4, flip=True, randaugment=2, erasing=0.25)
    shown += [("all but mixing", image)
              for image in everything(np.repeat(horse, 32 - len(shown), axis=0), np.random.default_rng(1))]
    titles, images = zip(*shown, strict=True)
    plots.image_grid(np.stack(images), titles, path, columns=8)


@dataclass(frozen=True)
class Cost(Computing):
    """Options of ``bench augmentation``."""

    data_dir: Path | None = None
    """Folder that holds CIFAR-10, as for training."""
    steps: int = 9
    """Number of training steps to time, and a third of the number of batches."""
    plot: Path | None = None
    """Draw one image with each augmentation into this .png file."""

    def __post_init__(self) -> None:
        at_least(1, steps=self.steps)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, draw."""
    options = parse(Cost, "bench augmentation",
                    "Cost of preparing a batch of CIFAR-10, compared to a step of the micro Mixer.", arguments)
    check_results("augmentation", plot=options.plot)
    dataset = data.load_cifar10(options.data_dir)
    if options.plot:
        gallery(dataset, options.plot)
    step = step_seconds(dataset, options.steps)
    rows = [[name, f"{1e3 * seconds:.1f}", f"{seconds / step:.1%}"]
            for name, augmentation in KINDS.items()
            for seconds in [batch_seconds(dataset, augmentation, 3 * options.steps)]]
    print(describe(machine()), f"A step takes {1e3 * step:.0f} ms.",
          table(["augmentation", "ms per batch", "of a step"], rows), sep="\n\n")
    return OK
