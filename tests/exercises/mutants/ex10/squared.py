# diagnosis: squared-error
# bug: differentiates a squared error
import numpy as np


def backward(gy, p, labels):
    return gy * 2 / len(p) * (p - np.eye(p.shape[1])[labels])
