# diagnosis: second-derivative
# bug: computes the second derivative
import numpy as np


def numeric_gradient(f, x, step):
    slopes = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[index] = step
        slopes[index] = (f(x + move) + f(x - move) - 2 * f(x)) / (step * step)
    return slopes
