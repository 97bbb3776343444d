"""Which classes are harder: the interval is SciPy's, and chance alone names few."""

import numpy as np
import pytest
from scipy.stats import binomtest

from minimixer.train.harder import harder_and_easier, wilson_interval


@pytest.mark.parametrize("unsure", [0.05, 0.005])
def test_the_interval_is_that_of_scipy(unsure):
    right, images = np.array([0, 1, 17, 36, 36, 500]), np.array([1, 1, 36, 36, 40, 1000])
    low, high = wilson_interval(right, images, unsure)
    for k, n, a, b in zip(right, images, low, high, strict=True):
        expected = binomtest(int(k), int(n)).proportion_ci(1 - unsure, method="wilson")
        assert (a, b) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_without_images_nothing_is_known():
    low, high = wilson_interval(np.array([0]), np.array([0]), 0.05)
    assert (low[0], high[0]) == (0, 1)


def test_only_clear_differences_are_named_worst_and_best_first():
    harder, easier = harder_and_easier(np.array([800, 600, 995, 805, 500]), np.full(5, 1000))
    assert (harder.tolist(), easier.tolist()) == ([4, 1], [2, 3, 0])
    assert [len(x) for x in harder_and_easier(np.array([34, 36, 35, 33]), np.full(4, 36))] == [0, 0]
    assert [len(x) for x in harder_and_easier(np.array([7]), np.array([10]))] == [0, 0]
    assert [len(x) for x in harder_and_easier(np.array([0, 9]), np.array([0, 10]))] == [0, 0]


def test_equal_classes_are_named_by_chance_in_less_than_one_of_twenty_runs():
    rng = np.random.default_rng(0)
    images = np.full(10, 100)
    named = [any(map(len, harder_and_easier(rng.binomial(images, 0.8), images))) for _ in range(1000)]
    assert np.mean(named) < 0.05
