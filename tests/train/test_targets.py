"""The floor of the training loss is reached by the targets themselves, and never undercut."""

from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer.data import Batches, load_digits
from minimixer.train import PRESETS
from minimixer.train.targets import floor_of_loss, kind_of_labels

DIGITS = PRESETS["digits"]


def loss_of_the_targets(config, dataset, batches):
    """The mean training loss of logits that give each target exactly, over real batches of a run."""
    losses = []
    loader = Batches(dataset, 64, 0, config.augmentation())
    for step in range(batches):
        labels = loader[step][1]
        targets = np.eye(10)[labels] if labels.ndim == 1 else labels.astype(np.float64)
        smooth = targets * (1 - config.label_smoothing) + config.label_smoothing / 10
        logits = mm.Tensor(np.log(np.maximum(smooth, 1e-12)))
        losses.append(float(mm.functional.cross_entropy(logits, targets, config.label_smoothing).data))
    return np.mean(losses)


def test_with_smoothed_labels_it_is_their_entropy():
    config = replace(DIGITS, label_smoothing=0.1)
    expected = -(0.91 * np.log(0.91) + 9 * 0.01 * np.log(0.01))
    assert floor_of_loss(config, load_digits()) == pytest.approx(expected, abs=1e-9)
    assert loss_of_the_targets(config, load_digits(), 1) == pytest.approx(expected, abs=1e-6)
    assert floor_of_loss(replace(config, label_smoothing=0.0), load_digits()) == 0


@pytest.mark.parametrize("mixes", [{"cutmix": 1.0}, {"mixup": 0.4, "mixing": 0.5}, {"cutmix": 1.0, "mixup": 1.0}])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_with_mixed_labels_it_is_the_mean_over_batches(mixes, smoothing):
    config = replace(DIGITS, label_smoothing=smoothing, **mixes)
    floor = floor_of_loss(config, load_digits())
    assert floor > 0.05
    assert loss_of_the_targets(config, load_digits(), 22) == pytest.approx(floor, abs=0.03)


@pytest.mark.parametrize(("changes", "name"), [
    ({"label_smoothing": 0.0}, "labels"), ({}, "smoothed labels"),
    ({"label_smoothing": 0.0, "mixup": 0.2}, "mixed labels"),
    ({"cutmix": 1.0}, "smoothed and mixed labels")])
def test_the_training_loss_is_named_by_its_labels(changes, name):
    assert kind_of_labels(replace(DIGITS, **changes)) == name
