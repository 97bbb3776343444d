# diagnosis: writes-input
# bug: moves the entries of x itself and does not restore them
import numpy as np


def numeric_gradient(f, x, step=1e-5):
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        x[index] += step
        above = f(x)
        x[index] -= 2 * step
        gradient[index] = (above - f(x)) / (2 * step)
    return gradient
