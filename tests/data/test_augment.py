"""The augmentation as a whole: what is mixed, with which targets, and that a seed decides it."""

import numpy as np
import pytest

from minimixer import backend
from minimixer.data import Augmentation, Batches, Dataset, mix
from minimixer.errors import UsageError

EVERYTHING = Augmentation(crop_padding=2, flip=True, randaugment=2, magnitude=15, erasing=0.3, cutmix=1.0, mixup=0.4)


def labeled_images(rng, n=40, side=12):
    return rng.integers(0, 256, (n, side, side, 3), np.uint8), rng.integers(0, 5, n)


def test_erased_rectangles_hold_noise_and_the_rest_is_untouched(rng):
    images = np.zeros((3000, 16, 16, 1), np.uint8)
    erased = mix.random_erasing(images, 0.4, rng)
    changed = (erased != 0).any((1, 2, 3))
    assert changed.mean() == pytest.approx(0.4, abs=0.04)
    for image in erased[changed][:200, ..., 0]:
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        inside = image[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
        assert (inside == 0).mean() < 0.5           # noise without gaps: only by chance is a pixel 0
    shares = mix.erasures(5000, 32, 32, rng).mean((1, 2))
    assert 0.015 < shares.min() < 0.03
    assert 0.3 < shares.max() < 0.36
    assert shares.mean() == pytest.approx(0.175, abs=0.02)
    assert not images.any()                         # the images given were not written to


def test_erasures_come_everywhere_and_in_every_direction(rng):
    masks = mix.erasures(4000, 16, 16, rng)
    assert masks.any((1, 2)).all()
    heights, widths = masks.any(2).sum(1), masks.any(1).sum(1)
    assert (masks.sum((1, 2)) == heights * widths).all()
    assert 0.4 < (heights > widths).mean() / (heights != widths).mean() < 0.6
    assert masks[:, 0, 0].any()
    assert masks[:, -1, -1].any()


def test_cutmix_takes_a_rectangle_of_the_image_before_and_targets_count_its_pixels(rng):
    images, labels = labeled_images(rng)
    mixed, targets = Augmentation(cutmix=1.0).mix(images, labels, 5, rng)
    before = np.roll(images, 1, axis=0)
    for i in range(len(images)):
        own, others = (mixed[i] == images[i]).all(-1), (mixed[i] == before[i]).all(-1)
        assert (own | others).all()
        foreign = ~own
        share = 1 - foreign.mean()
        expected = np.zeros(5)
        expected[labels[i]] += share
        expected[labels[i - 1]] += 1 - share
        assert targets[i] == pytest.approx(expected, abs=1e-6)
        if foreign.any():
            rows, columns = np.flatnonzero(foreign.any(1)), np.flatnonzero(foreign.any(0))
            assert foreign[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1].all()
    assert mixed.dtype == np.uint8


def test_mixup_adds_images_and_targets_by_the_same_share(rng):
    images, labels = labeled_images(rng)
    labels = np.arange(40)
    mixed, targets = Augmentation(mixup=1.0).mix(images, labels, 40, rng)
    for i in range(len(images)):
        share = targets[i, i]
        assert targets[i, i - 1] == pytest.approx(1 - share, abs=1e-6)
        exact = share * images[i] + (1 - share) * images[i - 1]
        assert np.abs(mixed[i] - exact).max() <= 0.5 + 1e-3
    shares = targets[labels, labels]
    assert shares.min() < 0.2
    assert shares.max() > 0.8


def test_shares_follow_the_beta_distribution_and_both_kinds_come_equally_often(rng):
    weights = mix.mixing_weights((6000, 8, 8), 1.0, 0.2, 0.7, rng)
    is_pasted = ((weights == 0) | (weights == 1)).all((1, 2)) & (weights.min((1, 2)) < weights.max((1, 2)))
    is_blended = (weights[:, 0, 0] != 1) & (weights.min((1, 2)) == weights.max((1, 2))) & (weights[:, 0, 0] > 0)
    assert is_blended.mean() == pytest.approx(0.35, abs=0.04)
    assert is_pasted.mean() == pytest.approx(0.33, abs=0.04)        # a few rectangles are empty, or all there is
    shares = weights[is_blended][:, 0, 0]
    assert ((shares < 0.1) | (shares > 0.9)).mean() > 0.55          # Beta(0.2, 0.2) is steep at both ends: 0.66
    assert (mix.mixing_weights((100, 4, 4), 1.0, 0.0, 0.0, rng) == 1).all()


def test_labels_stay_class_numbers_where_nothing_is_mixed(rng):
    images, labels = labeled_images(rng)
    same_images, same_labels = Augmentation(crop_padding=2, mixing=0.5).mix(images, labels, 5, rng)
    assert same_images is images
    assert same_labels is labels


def test_targets_are_probabilities_also_where_all_is_done(rng, device):
    images, labels = labeled_images(rng)
    changed = EVERYTHING(backend.to_device(images, device), np.random.default_rng(3))
    mixed, targets = EVERYTHING.mix(changed, labels, 5, np.random.default_rng(4))
    assert backend.device_of(mixed).name == device
    assert mixed.dtype == np.uint8
    assert mixed.shape == images.shape
    assert targets.dtype == np.float32
    assert targets.shape == (40, 5)
    assert targets.sum(1) == pytest.approx(np.ones(40), abs=1e-6)
    assert targets.min() >= 0


def test_a_seed_decides_the_images_on_every_device(rng, device):
    images, labels = labeled_images(rng)
    dataset = Dataset("toy", images, labels, images, labels, tuple("abcde"))
    here, there = Batches(dataset, 16, 5, EVERYTHING), Batches(dataset, 16, 5, EVERYTHING, device)
    for step in (3, 0):
        for one, other in zip(here[step], there[step], strict=True):
            assert backend.device_of(other).name == device
            assert np.array_equal(one, backend.to_numpy(other))
    assert not np.array_equal(here[0][0], Batches(dataset, 16, 6, EVERYTHING)[0][0])
    assert np.array_equal(images, dataset.train_images)


def test_images_smaller_than_a_filter_and_gray_ones_are_augmented(rng):
    for shape in ((9, 1, 1, 1), (9, 2, 5, 3), (30, 8, 8, 1)):
        images = rng.integers(0, 256, shape, np.uint8)
        changed = EVERYTHING(images, rng)
        mixed, _ = EVERYTHING.mix(changed, rng.integers(0, 5, len(images)), 5, rng)
        assert mixed.shape == shape


@pytest.mark.parametrize(("field", "value", "expected"), [
    ("magnitude", 31, r"0\.\.30"), ("erasing", 1.5, r"0\.\.1"), ("cutmix", -1, "from 0"), ("mixup", float("nan"), "0"),
    ("randaugment", -1, "from 0"), ("mixing", -0.1, r"0\.\.1")])
def test_numbers_out_of_range_are_refused(field, value, expected):
    with pytest.raises(UsageError, match=rf"{field} is .*: expected a number .*{expected}"):
        Augmentation(**{field: value})
