# diagnosis: low-precision
# bug: works on a float32 copy of x
import numpy as np


def numeric_gradient(f, x, step):
    x = x.astype("float32")
    slopes = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        old = x[index]
        x[index] = old + step
        high = f(x)
        x[index] = old - step
        slopes[index] = (high - f(x)) / (2 * step)
        x[index] = old
    return slopes
