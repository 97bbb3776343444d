# diagnosis: gy-ignored
# bug: assumes that gy is always 1
import numpy as np


def backward(gy, p, labels):
    return (p - np.eye(p.shape[1])[labels]) / len(p)
