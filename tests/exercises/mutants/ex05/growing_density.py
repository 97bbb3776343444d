# diagnosis: exponent-sign
# bug: forgets the minus in the exponent
import numpy as np


def backward(gy, x, phi):
    return gy * (phi + x * np.exp(0.5 * x * x) / np.sqrt(2 * np.pi))
