# diagnosis: moves-rows
# bug: moves all entries behind the first index together
import numpy as np


def numeric_gradient(f, x, step):
    slopes = np.zeros(x.shape)
    for i in range(x.shape[0]):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slopes[i] = (f(up) - f(down)) / (2 * step)
    return slopes
