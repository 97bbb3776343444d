# diagnosis: sums-everything
# bug: fills the result with the sum of all
import numpy as np


def unbroadcast(gy, shape):
    return np.full(shape, gy.sum())
