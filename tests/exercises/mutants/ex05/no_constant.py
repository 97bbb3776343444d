# diagnosis: density-not-normalized
# bug: forgets the constant of the density
import numpy as np


def backward(gy, x, phi):
    return gy * (phi + x * np.exp(-x**2 / 2))
