# diagnosis: shape-for-f
# bug: calls f with a flat copy
import numpy as np


def numeric_gradient(f, x, step):
    flat = np.array(x).ravel()
    slopes = []
    for i in range(flat.size):
        up, down = flat.copy(), flat.copy()
        up[i] += step
        down[i] -= step
        slopes.append((f(up) - f(down)) / (2 * step))
    return np.reshape(slopes, x.shape)
