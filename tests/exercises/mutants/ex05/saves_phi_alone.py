# diagnosis: no-tuple
# bug: saves phi alone
from scipy.special import ndtr


def forward(x):
    phi = ndtr(x)
    return x * phi, (phi)
