# diagnosis: density-at-phi
# bug: takes the density at phi
import numpy as np


def backward(gy, x, phi):
    return gy * (phi + x * np.exp(-0.5 * phi * phi) / np.sqrt(2 * np.pi))
