# diagnosis: ddof-1
# bug: divides the variance by C - 1
import numpy as np


def forward(x, weight, bias, eps):
    rstd = 1 / np.sqrt(x.var(axis=-1, ddof=1, keepdims=True) + eps)
    normalized = (x - x.mean(axis=-1, keepdims=True)) * rstd
    return normalized * weight + bias, (normalized, rstd, weight)
