# diagnosis: wrong-axis
# bug: normalizes over the batch
import numpy as np


def forward(logits, labels):
    e = np.exp(logits - logits.max(axis=0))
    p = e / e.sum(axis=0)
    with np.errstate(all="ignore"):
        return -np.log(p[range(len(labels)), labels]).mean(), (p, labels)
