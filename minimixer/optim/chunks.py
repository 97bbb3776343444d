"""All parameters by one CUDA kernel: where their arrays lie, and which block works on which chunk of which array."""

import functools
from collections.abc import Sequence

import numpy as np

from minimixer.backend import Array, Module

CHUNK = 1 << 13             # elements of a parameter that one block updates


def addresses(xp: Module, *lists: Sequence[Array]) -> Array:
    """Where arrays lie, (lists, arrays): a small copy to the device, for which the host does not wait."""
    return xp.asarray(np.array([[a.data.ptr for a in arrays] for arrays in lists], np.uint64))


@functools.lru_cache(maxsize=64)
def chunks(xp: Module, sizes: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Sizes of arrays; and for every block, which array it works on, and on which chunk of that."""
    owner = [i for i, size in enumerate(sizes) for _ in range(-(-size // CHUNK))]
    number = [j for size in sizes for j in range(-(-size // CHUNK))]
    return (xp.asarray(np.array(sizes, np.int64)), xp.asarray(np.array(owner, np.int32)),
            xp.asarray(np.array(number, np.int32)))
