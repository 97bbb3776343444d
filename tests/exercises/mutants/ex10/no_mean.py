# diagnosis: mean-forgotten
# bug: forgets that the loss is a mean
import numpy as np


def backward(gy, p, labels):
    return gy * (p - np.eye(p.shape[1])[labels])
