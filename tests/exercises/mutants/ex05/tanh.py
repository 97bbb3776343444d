# diagnosis: tanh-for-erf
# bug: uses the tanh approximation
import numpy as np


def forward(x):
    phi = 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * phi, (x, phi)
