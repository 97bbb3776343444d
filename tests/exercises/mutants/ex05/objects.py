# diagnosis: not-an-array
# bug: gets an array of objects from frompyfunc
import math

import numpy as np

normal = np.frompyfunc(lambda t: 0.5 * (1 + math.erf(t / math.sqrt(2))), 1, 1)


def forward(x):
    phi = np.asarray(normal(x), dtype=object)
    return x * phi, (x, phi)
