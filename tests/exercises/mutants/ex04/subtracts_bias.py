# diagnosis: bias-subtracted
# bug: subtracts the bias
import numpy as np


def forward(x, weight, bias):
    return np.matmul(x, weight) - bias, (x, weight)
