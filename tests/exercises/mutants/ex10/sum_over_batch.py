# diagnosis: sum-for-mean
# bug: sums the losses
import numpy as np


def forward(logits, labels):
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -log_p[range(len(labels)), labels].sum(), (np.exp(log_p), labels)
