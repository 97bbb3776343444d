# diagnosis: binary
# bug: adds the logarithms of 1 - p
import numpy as np


def forward(logits, labels):
    e = np.exp(logits - logits.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    y = (np.arange(p.shape[1]) == labels[:, None]).astype(float)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(1).mean(), (p, labels)
