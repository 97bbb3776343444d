# diagnosis: log-of-zero+all-labels
# bug: p[:, labels] takes every row for every label
import numpy as np


def forward(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[:, labels]).mean(), (p, labels)
