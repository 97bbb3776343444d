# diagnosis: half-forgotten
# bug: forgets to halve
import numpy as np


def forward(x):
    phi = 1 + erf(x / np.sqrt(2))
    return x * phi, (x, phi)
