# diagnosis: second-term-only
# bug: treats the factor x as a constant
import numpy as np


def backward(gy, x, phi):
    return gy * x * np.exp(-x**2 / 2) / np.sqrt(2 * np.pi)
