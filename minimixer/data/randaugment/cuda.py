"""RandAugment for CuPy: one kernel changes all images of a batch."""

from pathlib import Path

import numpy as np

from minimixer.backend import Array, array_module
from minimixer.data.randaugment import reference
from minimixer.data.randaugment.reference import COLORS, GEOMETRIES, OPERATIONS, factors, fixed, kept_bits, thresholds
from minimixer.ops import cuda

SOURCE = Path(__file__).with_name("kernel.cu")
AFFINE = 1 + len(COLORS)       # the kernel's number for all GEOMETRIES; the numbers below it are as in OPERATIONS


def change(images: Array, chosen: np.ndarray, strength: np.ndarray) -> Array:
    """As the reference, bit for bit."""
    batch, height, width, channels = images.shape
    if channels not in (1, 3) or not images.size:
        return reference.change(images, chosen, strength)
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
    run = cuda.kernel(SOURCE, "randaugment", "float", "--fmad=false")
    run((batch,), (cuda.THREADS, 1), (images, changed, xp.asarray(changes), xp.asarray(factors(strength), np.float32),
                                      np.int32(height), np.int32(width), np.int32(channels)))
    return changed
