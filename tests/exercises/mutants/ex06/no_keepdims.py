# diagnosis: axis-lost
# bug: lets mean and var remove the last axis
import numpy as np


def forward(x, weight, bias, eps):
    normalized = (x - x.mean(axis=-1)) / np.sqrt(x.var(axis=-1) + eps)
    return normalized * weight + bias, (normalized, 1 / np.sqrt(x.var(axis=-1) + eps), weight)
