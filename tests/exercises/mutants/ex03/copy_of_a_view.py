# diagnosis: memory-order
# bug: moves a copy: reshape(-1) copies a transposed array, so x never changes
import numpy as np


def numeric_gradient(f, x, step=1e-5):
    x = x.copy(order="K")
    flat, gradient = x.reshape(-1), np.empty(x.size)
    for i in range(x.size):
        start = flat[i]
        flat[i] = start + step
        above = f(x)
        flat[i] = start - step
        gradient[i] = (above - f(x)) / (2 * step)
        flat[i] = start
    return gradient.reshape(x.shape)
