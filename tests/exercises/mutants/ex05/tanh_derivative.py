# diagnosis: tanh-for-erf
# bug: differentiates the tanh approximation
import numpy as np


def backward(gy, x, phi):
    k = np.sqrt(2 / np.pi)
    t = np.tanh(k * (x + 0.044715 * x**3))
    return gy * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * k * (1 + 3 * 0.044715 * x**2))
