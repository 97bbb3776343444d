# diagnosis: wrong-sign
# bug: subtracts the other way around
import numpy as np


def backward(gy, p, labels):
    return gy * (np.eye(p.shape[1])[labels] - p) / len(p)
