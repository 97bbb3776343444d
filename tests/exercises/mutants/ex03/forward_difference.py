# diagnosis: forward-difference
# bug: compares f(x + step) with f(x)
import numpy as np


def numeric_gradient(f, x, step=1e-5):
    gradient, start = np.empty(x.shape), f(x)
    for index in np.ndindex(x.shape):
        moved = x.copy()
        moved[index] += step
        gradient[index] = (f(moved) - start) / step
    return gradient
