# diagnosis: sigmoid-for-erf
# bug: uses the sigmoid approximation
import numpy as np


def forward(x):
    phi = 1 / (1 + np.exp(-1.702 * x))
    return x * phi, (x, phi)
