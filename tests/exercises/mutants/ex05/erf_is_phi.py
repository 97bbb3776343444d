# diagnosis: erf-for-phi
# bug: takes erf for Phi
import numpy as np


def forward(x):
    phi = erf(x / np.sqrt(2))
    return x * phi, (x, phi)
