# diagnosis: divides-by-step
# bug: goes one step to each side, but divides by one step
import numpy as np


def numeric_gradient(f, x, step=1e-5):
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[index] = step
        gradient[index] = (f(x + move) - f(x - move)) / step
    return gradient
