# diagnosis: ignores-step
# bug: always moves by 1e-5, regardless of step
import numpy as np


def numeric_gradient(f, x, step=1e-5):
    gradient, h = np.empty(x.shape), 1e-5
    for index in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[index] = h
        gradient[index] = (f(x + move) - f(x - move)) / (2 * h)
    return gradient
