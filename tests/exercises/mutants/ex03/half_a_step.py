# diagnosis: half-steps
# bug: moves half a step to each side
import numpy as np


def numeric_gradient(f, x, step):
    slopes = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[index] = 0.5 * step
        slopes[index] = (f(x + move) - f(x - move)) / step
    return slopes
