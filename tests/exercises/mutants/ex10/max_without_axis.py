# diagnosis: axis-lost
# bug: loses the axis of the largest logits
import numpy as np


def forward(logits, labels):
    z = logits - logits.max(1)
    log_p = z - np.log(np.exp(z).sum(1))
    return -log_p[range(len(z)), labels].mean(), (np.exp(log_p), labels)
