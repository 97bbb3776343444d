# diagnosis: erf-for-phi
# bug: uses erf instead of Phi
import numpy as np


def forward(x):
    phi = erf(x / np.sqrt(2))
    return x * phi, (x, phi)
