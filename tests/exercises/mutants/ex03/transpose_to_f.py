# diagnosis: shape-for-f
# bug: moves the entries of a transpose and calls f with it
import numpy as np


def numeric_gradient(f, x, step):
    turned = x.T.copy()
    slopes = np.zeros(turned.shape)
    for index in np.ndindex(turned.shape):
        move = np.zeros(turned.shape)
        move[index] = step
        slopes[index] = (f(turned + move) - f(turned - move)) / (2 * step)
    return slopes.T
