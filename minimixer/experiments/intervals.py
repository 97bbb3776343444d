"""Student's t: what the runs of a few seeds say about the mean of all seeds."""

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import NamedTuple

LEVEL = 0.95


class Interval(NamedTuple):
    """The mean of some values, and the interval that holds the mean of all seeds with a confidence of 95 %."""

    mean: float
    low: float
    high: float


def interval(values: Sequence[float]) -> Interval:
    """The 95 % interval of Student's t around the mean of independent values.

    Parameters
    ----------
    values : sequence of float
        One per seed, all finite.  If arms are compared, these are the differences of pairs with the same seed.

    Returns
    -------
    Interval
        Without limits, from -inf to inf, if there is one value only: it says nothing about the spread.

    Raises
    ------
    ValueError
        If there is no value, or one that is not finite.
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f"an interval of {list(values)}: expected one or more finite numbers")
    middle = mean(values)
    if len(values) == 1:
        return Interval(middle, -math.inf, math.inf)
    half = t_quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Interval(middle, middle - half, middle + half)


def t_quantile(degrees: int) -> float:
    """How many standard errors the interval reaches to each side, for this many degrees of freedom."""
    from scipy.special import stdtrit
    return float(stdtrit(degrees, (1 + LEVEL) / 2))
