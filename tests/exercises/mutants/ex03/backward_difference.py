# diagnosis: backward-difference
# bug: compares f(x) with f(x - step)
import numpy as np


def numeric_gradient(f, x, step=1e-5):
    gradient, start = np.empty(x.shape), f(x)
    for index in np.ndindex(x.shape):
        moved = x.copy()
        moved[index] -= step
        gradient[index] = (start - f(moved)) / step
    return gradient
