# diagnosis: wrong-axis
# bug: normalizes over the batch
import numpy as np


def forward(x, weight, bias, eps):
    rstd = 1 / np.sqrt(x.var(axis=0, keepdims=True) + eps)
    normalized = (x - x.mean(axis=0, keepdims=True)) * rstd
    return normalized * weight + bias, (normalized, rstd, weight)
