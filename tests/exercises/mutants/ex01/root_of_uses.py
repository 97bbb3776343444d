# diagnosis: divided-by-root
# bug: divides the sum by the root of the number of uses
import numpy as np


def unbroadcast(gy, shape):
    lead = gy.ndim - len(shape)
    axes = [*range(lead), *(lead + i for i in range(len(shape)) if shape[i] == 1)]
    result = np.sum(gy, axis=tuple(axes)).reshape(shape)
    return result * np.sqrt(result.size / gy.size)
