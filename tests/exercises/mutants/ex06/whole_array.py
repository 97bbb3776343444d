# diagnosis: all-axes
# bug: takes one mean and one variance over all numbers
import numpy as np


def forward(x, weight, bias, eps):
    rstd = 1 / np.sqrt(x.var() + eps)
    normalized = (x - x.mean()) * rstd
    return normalized * weight + bias, (normalized, rstd, weight)
