# diagnosis: not-divided
# bug: forgets to divide
import numpy as np


def numeric_gradient(f, x, step=1e-5):
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[index] = step
        gradient[index] = f(x + move) - f(x - move)
    return gradient
