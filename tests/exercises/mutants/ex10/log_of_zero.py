# diagnosis: log-of-zero
# bug: takes the logarithm of probabilities that were rounded to zero
import numpy as np


def forward(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.mean(np.log(p[range(len(labels)), labels])), (p, labels)
