"""All randomness of a model: how weights start, and where layers that draw in training draw from.

Numbers are drawn by NumPy Generators on the host and copied to the device, so a CPU run and a GPU run see the same.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

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
    before = after = 0          # pictures of the batch in front of those at hand, and behind them


_source = _Source()


@contextmanager
def draw_from(rng: np.random.Generator, shard: slice | None = None, batch: int = 0) -> Iterator[None]:
    """Within this block, and in this thread only, Dropout and StochasticDepth draw from ``rng``.

    Where they see only the pictures ``shard`` of ``batch`` many, they draw for them what they would have drawn for the
    whole batch, so where a batch is cut changes nothing; ``rng`` must then be one of ``np.random.default_rng``, which
    can skip numbers.
    """
    previous = vars(_source).copy()
    _source.rng = rng
    _source.before, _source.after = (shard.start, batch - shard.stop) if shard else (0, 0)
    try:
        yield
    finally:
        vars(_source).clear()
        vars(_source).update(previous)


def draw(shape: tuple[int, ...]) -> Array:
    """Random numbers in [0, 1) for the pictures at hand, (B, ...), from the generator of the enclosing ``draw_from``.

    Outside of one they come from this thread's own generator, seeded with 0.
    """
    if _source.rng is None:
        _source.rng = np.random.default_rng(0)
    each = math.prod(shape[1:])
    generator: Any = _source.rng.bit_generator
    if _source.before:
        generator.advance(_source.before * each)
    numbers = _source.rng.random(shape)         # of float64: one step of the generator each
    if _source.after:
        generator.advance(_source.after * each)
    return numbers
