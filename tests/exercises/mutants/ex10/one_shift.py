# diagnosis: one-shift-for-all
# bug: subtracts the largest logit of the batch
import numpy as np


def parts(logits):
    z = logits - logits.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))



def forward(logits, labels):
    z = logits - logits.max()
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -log_p[range(len(z)), labels].mean(), (np.exp(log_p), labels)
