# diagnosis: ignores-gy
# bug: returns the derivative without the incoming gradient
import numpy as np


def backward(gy, x, phi):
    return phi + x * np.exp(-x**2 / 2) / np.sqrt(2 * np.pi)
