# diagnosis: dtype
# bug: sums in float32
import numpy as np


def unbroadcast(gy, shape):
    lead = gy.ndim - len(shape)
    axes = tuple(i for i in range(gy.ndim) if i < lead or shape[i - lead] == 1)
    return np.float32(gy).sum(axis=axes, keepdims=True).reshape(shape)
