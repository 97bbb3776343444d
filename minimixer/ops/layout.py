"""How NumPy arrays lie in memory, for the forms that work in place.

Elementwise work does not care which axis is last, so a transposed view of dense memory is never copied.
"""

from collections.abc import Iterator

import numpy as np

from minimixer.backend import Array

BLOCK = 1 << 16     # elements: three float32 buffers of a block fit into a core's second-level cache


def dense(x: Array) -> tuple[Array, bool]:
    """X as a C-contiguous array, and whether its last two axes were swapped for that; copied only if both fail."""
    if x.flags.c_contiguous:
        return x, False
    if x.ndim > 1 and x.swapaxes(-1, -2).flags.c_contiguous:
        return x.swapaxes(-1, -2), True
    return np.ascontiguousarray(x), False


def swap(x: Array, swapped: bool) -> Array:
    """X, with its last two axes swapped if asked."""
    return x.swapaxes(-1, -2) if swapped else x


def blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Walk through flat arrays of one size, block by block."""
    if 0 < arrays[0].size <= BLOCK:
        yield arrays                        # without a slice of each
        return
    for start in range(0, arrays[0].size, BLOCK):
        yield tuple([a[start:start + BLOCK] for a in arrays])
