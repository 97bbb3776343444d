# diagnosis: log-clipped
# bug: adds a small number before it takes the logarithm
import numpy as np


def forward(logits, labels):
    e = np.exp(logits - logits.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    return -np.mean(np.log(p[range(len(p)), labels] + 1e-12)), (p, labels)
