# diagnosis: writes-input
# bug: subtracts the mean from the caller's array in place
import numpy as np


def forward(x, weight, bias, eps):
    x -= x.mean(axis=-1, keepdims=True)
    rstd = 1 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps)
    return x * rstd * weight + bias, (x * rstd, rstd, weight)
