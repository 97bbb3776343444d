# diagnosis: erf-derivative
# bug: uses the constant of the derivative of erf
import numpy as np


def backward(gy, x, phi):
    return gy * (phi + x * 2 / np.sqrt(np.pi) * np.exp(-x**2 / 2))
