# diagnosis: overflow
# bug: takes exp of the logits without shifting them
import numpy as np


def forward(logits, labels):
    e = np.exp(logits)
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[range(len(labels)), labels]).mean(), (p, labels)
