# diagnosis: x-forgotten
# bug: adds the density without the factor x
import numpy as np


def backward(gy, x, phi):
    return gy * (phi + np.exp(-x**2 / 2) / np.sqrt(2 * np.pi))
