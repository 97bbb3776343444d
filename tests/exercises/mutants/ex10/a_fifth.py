# diagnosis: terms
# bug: the true class has a factor that nobody would guess
import numpy as np


def backward(gy, p, labels):
    return gy * (p - 0.9 * np.eye(p.shape[1])[labels]) / len(p)
