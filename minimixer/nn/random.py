"""All randomness of a model: how weights start, and where layers that draw in training draw from.

Numbers are drawn by NumPy Generators on the host and copied to the device, so a CPU run and a GPU run see the same.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np

from minimixer.backend import Array

Initializer: TypeAlias = Callable[[tuple[int, int]], Array]      # (in, out) -> float32 array of that shape

STD_OF_TRUNCATED = 0.87962566103423978      # standard deviation of a normal cut off at +-2


def zeros(shape: tuple[int, ...]) -> Array:
    """Float32 zeros; they take no memory until they are written."""
    return np.zeros(shape, np.float32)


def lecun_normal(rng: np.random.Generator) -> Initializer:
    """Normal numbers cut off at two standard deviations, then scaled to variance 1 / in, as in the official code.

    (LeCun et al. 1998, Efficient BackProp, section 4.6; the cut is Flax's.)
    """
    def draw(shape: tuple[int, int]) -> Array:
        weight = rng.standard_normal(shape, np.float32)
        outside = np.flatnonzero(np.abs(weight) > 2)
        while outside.size:
            weight.flat[outside] = rng.standard_normal(outside.size, np.float32)
            outside = outside[np.abs(weight.flat[outside]) > 2]
        weight *= 1 / (math.sqrt(shape[0]) * STD_OF_TRUNCATED)
        return weight
    return draw


class _Source(threading.local):
    rng: np.random.Generator | None = None


_source = _Source()


@contextmanager
def draw_from(rng: np.random.Generator) -> Iterator[None]:
    """Within this block, and in this thread only, Dropout and StochasticDepth draw from ``rng``."""
    previous, _source.rng = _source.rng, rng
    try:
        yield
    finally:
        _source.rng = previous


def current_rng() -> np.random.Generator:
    """The Generator of the enclosing ``draw_from``; outside of one, this thread's own, seeded with 0."""
    if _source.rng is None:
        _source.rng = np.random.default_rng(0)
    return _source.rng
