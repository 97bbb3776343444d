# diagnosis: moves-all
# bug: moves all entries at once
import numpy as np


def numeric_gradient(f, x, step=1e-5):
    slope = (f(x + step) - f(x - step)) / (2 * step)
    return np.ones(x.shape) * slope
