# diagnosis: only-the-label
# bug: computes a gradient for the true class only
import numpy as np


def backward(gy, p, labels):
    hot = np.eye(p.shape[1])[labels]
    return gy * (p - 1) * hot / len(p)
