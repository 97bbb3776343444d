"""Which classes are harder than the rest, and not only by chance."""

from statistics import NormalDist

import numpy as np

UNSURE = 0.05       # the chance that an interval misses, at most, for all classes together


def wilson_interval(right: np.ndarray, images: np.ndarray, unsure: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the true share of right answers lies, except with a chance of ``unsure``.

    Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.  right, images: (K,) -> two
    arrays (K,) in 0..1; without images, 0 and 1.
    """
    z = NormalDist().inv_cdf(1 - unsure / 2)
    n = np.maximum(images, 1)
    center = (right + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(right * (n - right) / n + z**2 / 4)
    return np.where(images, center - half, 0), np.where(images, center + half, 1)


def harder_and_easier(right: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes whose interval lies wholly below, and above, that of all other classes together.

    ``UNSURE`` is divided among the K classes (Bonferroni): the more classes, the wider their intervals.

    Parameters
    ----------
    right, images : array of int, shape (K,)
        Right answers and images of each class.

    Returns
    -------
    harder, easier : array of int
        Class numbers, the hardest and the easiest first.
    """
    unsure = UNSURE / len(right)
    low, high = wilson_interval(right, images, unsure)                                              # (K,)
    low_of_rest, high_of_rest = wilson_interval(right.sum() - right, images.sum() - images, unsure)
    order = np.argsort(right / np.maximum(images, 1), kind="stable")
    return order[(high < low_of_rest)[order]], order[(low > high_of_rest)[order]][::-1]
