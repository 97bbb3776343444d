# diagnosis: terms
# bug: two wrong factors at once
import numpy as np


def backward(gy, x, phi):
    return gy * (3 * phi - x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi))
