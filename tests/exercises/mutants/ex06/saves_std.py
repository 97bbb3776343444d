# diagnosis: saved-std
# bug: saves the standard deviation itself
import numpy as np


def forward(x, weight, bias, eps):
    std = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    normalized = (x - x.mean(axis=-1, keepdims=True)) / std
    return normalized * weight + bias, (normalized, std, weight)
