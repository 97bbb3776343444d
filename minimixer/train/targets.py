"""What a run trains towards, and the smallest loss that this allows."""

import numpy as np

from minimixer.data import Dataset
from minimixer.data.mix import mix_labels, mixing_weights
from minimixer.train.config import TrainConfig

DRAWN, AT_ONCE = 2048, 128      # mixtures


def kind_of_labels(config: TrainConfig) -> str:
    """What the training loss is measured on, such as "smoothed labels"; the test loss always on "labels"."""
    changed = ["smoothed"] * bool(config.label_smoothing) + ["mixed"] * config.augmentation().mixes
    return f"{' and '.join(changed)} labels".lstrip()


def floor_of_loss(config: TrainConfig, dataset: Dataset) -> float:
    """The mean entropy of the training targets in nats: no model has a smaller training loss.

    Label smoothing spreads a share of each target over all classes, CutMix and mixup divide it among two classes, so a
    model that knows every answer still has this loss.  The mean over mixtures is one over ``DRAWN`` of them, drawn as
    in training.
    """
    augmentation, classes = config.augmentation(), dataset.num_classes
    if not augmentation.mixes:
        return float(entropy(smoothed(np.eye(1, classes), config.label_smoothing)).mean())
    rng = np.random.default_rng(0)
    height, width = dataset.train_images.shape[1:3]
    found = []
    for _ in range(DRAWN // AT_ONCE):
        labels = rng.choice(dataset.train_labels, AT_ONCE)                                      # (B,)
        weights = mixing_weights((AT_ONCE, height, width), augmentation.cutmix, augmentation.mixup,
                                 augmentation.mixing, rng)                                      # (B, H, W)
        found.append(entropy(smoothed(mix_labels(labels, weights, classes), config.label_smoothing)))
    return float(np.mean(found))


def smoothed(targets: np.ndarray, share: float) -> np.ndarray:
    """Probabilities (B, K) of which a share is spread over all classes, as ``cross_entropy`` does it."""
    return targets * (1 - share) + share / targets.shape[1]


def entropy(targets: np.ndarray) -> np.ndarray:
    """In nats.  targets: (B, K) -> (B,)."""
    return -(targets * np.log(np.where(targets > 0, targets, 1))).sum(1)
