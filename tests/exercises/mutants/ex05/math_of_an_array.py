# diagnosis: numbers-only
# bug: calls math.erf with an array
import math


def forward(x):
    phi = 0.5 + 0.5 * math.erf(x / math.sqrt(2))
    return x * phi, (x, phi)
