# diagnosis: dtype
# bug: stores the slopes as whole numbers
import numpy as np


def numeric_gradient(f, x, step):
    slopes = np.zeros(x.shape, int)
    for index in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[index] = step
        slopes[index] = (f(x + move) - f(x - move)) / (2 * step)
    return slopes
