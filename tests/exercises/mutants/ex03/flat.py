# diagnosis: flattened
# bug: returns a flat array
import numpy as np


def numeric_gradient(f, x, step=1e-5):
    slopes = []
    for index in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[index] = step
        slopes.append((f(x + move) - f(x - move)) / (2 * step))
    return np.array(slopes)
