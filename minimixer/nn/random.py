"""All randomness of a model: initial weights, and the random numbers of Dropout and StochasticDepth.

NumPy Generators draw on the host and the numbers are copied to the device, so a CPU run and a GPU run see the same.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from minimixer.backend import Array

Initializer: TypeAlias = Callable[[tuple[int, int]], Array]      # (in, out) -> float32 array of that shape

STD_OF_TRUNCATED = 0.87962566103423978      # standard deviation of a normal truncated at +-2


def zeros(shape: tuple[int, ...]) -> Array:
    """Float32 zeros; they take no memory until written."""
    return np.zeros(shape, np.float32)


def lecun_normal(rng: np.random.Generator) -> Initializer:
    """Normal numbers truncated at two standard deviations, then scaled to variance 1 / in, as in the official code.

    (LeCun et al. 1998, Efficient BackProp, section 4.6; the truncation is Flax's.)
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


class _Stream(threading.local):
    """Where the layers of this thread draw from."""

    def __init__(self) -> None:
        self.default = np.random.default_rng(0)
        self.of_block: tuple[np.random.Generator, int, int] | None = None   # draw_from's: rng, images before and after
        self.in_shard = False


_stream = _Stream()


def seed(seed: int) -> None:
    """Restart the default stream of this thread.

    Layers that are made without an initializer draw their weights from it, and Dropout and StochasticDepth their
    numbers outside ``draw_from``.  Every thread has a default stream of its own.  It starts as
    ``np.random.default_rng(0)`` and goes on from call to call.  Inside ``draw_from``, as in every training step of
    ``minimixer.train``, it is not used.
    """
    _stream.default = np.random.default_rng(seed)


def default_rng() -> np.random.Generator:
    """The default stream of this thread."""
    return _stream.default


def in_shard() -> bool:
    """Whether this thread computes a shard of a batch, of which the model sees no other image."""
    return _stream.in_shard


@contextmanager
def draw_from(rng: np.random.Generator, shard: slice | None = None, batch: int = 0) -> Iterator[None]:
    """Within this block, and in this thread only, Dropout and StochasticDepth draw from ``rng``.

    Parameters
    ----------
    rng : numpy.random.Generator
        For a shard, one of ``np.random.default_rng``, which can skip numbers.
    shard : slice, optional
        The images of the batch that the model sees.  It draws for them what it would draw in the whole batch, so the
        numbers do not depend on how a batch is split.
    batch : int
        Size of the whole batch.
    """
    previous = _stream.of_block, _stream.in_shard
    _stream.of_block = (rng, shard.start, batch - shard.stop) if shard else (rng, 0, 0)
    _stream.in_shard = shard is not None
    try:
        yield
    finally:
        _stream.of_block, _stream.in_shard = previous


def draw(shape: tuple[int, ...]) -> Array:
    """Random numbers in [0, 1) of shape (B, ...) for the B images of this shard, from the current stream."""
    rng, before, after = _stream.of_block or (_stream.default, 0, 0)
    per_image = math.prod(shape[1:])
    generator: Any = rng.bit_generator
    if before:
        generator.advance(before * per_image)
    numbers = rng.random(shape)                 # float64: each takes one step of the generator
    if after:
        generator.advance(after * per_image)
    return numbers
