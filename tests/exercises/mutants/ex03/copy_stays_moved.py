# diagnosis: not-put-back
# bug: moves entry after entry of one copy and restores none of them
import numpy as np


def numeric_gradient(f, x, step=1e-5):
    moved, gradient = x.copy(), np.empty(x.shape)
    for index in np.ndindex(x.shape):
        moved[index] = x[index] + step
        above = f(moved)
        moved[index] = x[index] - step
        gradient[index] = (above - f(moved)) / (2 * step)
    return gradient
