"""RandAugment for CuPy: the pictures of a batch are changed by one kernel, randaugment.cu."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.backend import Array, array_module
from minimixer.data.randaugment import COLOURS, GEOMETRIES, OPERATIONS, change, factors, fixed, kept_bits, thresholds
from minimixer.ops.cuda import THREADS
from minimixer.kernels.registry import fast

SOURCE = Path(__file__).with_name("randaugment.cu")
AFFINE = 1 + len(COLOURS)       # the kernel's number for all of GEOMETRIES; those before it are as in OPERATIONS


@functools.cache
def kernel() -> Any:
    """The kernel of randaugment.cu."""
    return compiled(SOURCE, "--fmad=false").get_function("randaugment")


@fast(change, "cupy")
def change_at_once(images: Array, chosen: np.ndarray, strength: np.ndarray) -> Array:
    """As ``change``."""
    batch, height, width, channels = images.shape
    if channels not in (1, 3) or not images.size:
        return change(images, chosen, strength)
    xp = array_module(images)
    changes = np.zeros((batch, 7), np.int32)
    changes[:, 0] = np.minimum(chosen, AFFINE)
    for name, numbers in (("solarize", thresholds), ("posterize", kept_bits)):
        rows = chosen == OPERATIONS.index(name)
        changes[rows, 1] = numbers(strength[rows])
    for name, matrices in GEOMETRIES.items():
        rows = chosen == OPERATIONS.index(name)
        changes[rows, 1:] = fixed(matrices(strength[rows], height, width)).T
    images = xp.ascontiguousarray(images)
    changed = xp.empty_like(images)
    kernel()((batch,), (THREADS, 1), (images, changed, xp.asarray(changes), xp.asarray(factors(strength), np.float32),
                                    np.int32(height), np.int32(width), np.int32(channels)))
    return changed
