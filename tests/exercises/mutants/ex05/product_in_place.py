# diagnosis: shared
# bug: multiplies phi in place after it was saved
import numpy as np
from scipy.special import ndtr


def forward(x):
    phi = np.array(ndtr(x))
    saved = x, phi
    phi *= x
    return phi, saved
