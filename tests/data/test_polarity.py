"""Whether dark and light look exchanged: no digit of the data set does, and every inverted one."""

import numpy as np
import pytest

from minimixer.data import load_digits
from minimixer.data.polarity import looks_inverted, trained_on

DIGITS = load_digits()
MEAN = DIGITS.channel_statistics()[0]


def test_no_digit_looks_inverted_and_every_inverted_one_does():
    images = np.concatenate([DIGITS.train_images, DIGITS.test_images])
    assert not looks_inverted(images, MEAN).any()
    assert looks_inverted(255 - images, MEAN).all()
    assert looks_inverted(images, 1 - MEAN).all()           # a model of dark writing on light paper
    assert not looks_inverted(255 - images, 1 - MEAN).any()


def test_a_bright_piece_of_clothing_is_not_inverted():
    image = np.zeros((1, 28, 28, 1), np.uint8)
    image[:, 2:26, 1:27] = 220                              # fills most of a dark image
    assert image.mean() > 128
    assert not looks_inverted(image, np.array([0.286], np.float32)).any()


@pytest.mark.parametrize(("mean", "known"), [
    ([0.13], "light on dark"), ([0.9], "dark on light"), ([0.47], None), ([0.5], None), ([0.1, 0.1, 0.1], None)])
def test_the_mean_of_the_training_pixels_says_what_is_known(mean, known):
    assert trained_on(np.array(mean, np.float32)) == known


def test_without_a_clear_side_nothing_is_said():
    assert not looks_inverted(np.full((2, 8, 8, 1), 255, np.uint8), np.array([0.47])).any()
    assert not looks_inverted(np.full((2, 8, 8, 3), 255, np.uint8), np.array([0.1, 0.1, 0.1])).any()
    assert looks_inverted(np.zeros((0, 8, 8, 1), np.uint8), MEAN).shape == (0,)
