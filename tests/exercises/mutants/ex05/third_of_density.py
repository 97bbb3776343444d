# diagnosis: terms
# bug: the density has a wrong constant that nobody would guess
import numpy as np


def backward(gy, x, phi):
    return gy * (phi + 0.3 * x * np.exp(-x * x / 2))
