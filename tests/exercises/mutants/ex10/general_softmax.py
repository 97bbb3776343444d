# diagnosis: divides-by-p
# bug: goes through softmax in general, and divides by p
import numpy as np


def backward(gy, p, labels):
    gp = -1.0 * (np.arange(p.shape[1]) == labels[:, None]) / p / len(p)
    return gy * (p * gp - p * (p * gp).sum(1, keepdims=True))
