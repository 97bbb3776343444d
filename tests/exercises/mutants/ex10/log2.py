# diagnosis: other-logarithm
# bug: uses the base-2 logarithm
import numpy as np


def forward(logits, labels):
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -log_p[range(len(labels)), labels].mean() / np.log(2), (np.exp(log_p), labels)
