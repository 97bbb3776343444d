# diagnosis: not-restored
# bug: restores an entry by adding what it subtracted
import numpy as np


def numeric_gradient(f, x, step):
    slopes = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        x[index] += step
        high = f(x)
        x[index] -= 2 * step
        low = f(x)
        x[index] += step
        slopes[index] = (high - low) / (2 * step)
    return slopes
