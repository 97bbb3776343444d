# diagnosis: only-axes
# bug: loops over rows and columns
import numpy as np


def numeric_gradient(f, x, step):
    slopes = np.zeros(x.shape)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            move = np.zeros(x.shape)
            move[i, j] = step
            slopes[i, j] = (f(x + move) - f(x - move)) / (2 * step)
    return slopes
