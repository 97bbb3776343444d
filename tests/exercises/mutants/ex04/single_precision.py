# diagnosis: dtype
# bug: computes in float32
import numpy as np


def forward(x, weight, bias):
    return np.float32(x) @ np.float32(weight) + np.float32(bias), (x, weight)
