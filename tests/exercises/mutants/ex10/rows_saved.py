# diagnosis: saves-one-hot
# bug: saves one-hot rows
import numpy as np


def parts(logits):
    z = logits - logits.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))



def forward(logits, labels):
    log_p = parts(logits)
    return -log_p[range(len(log_p)), labels].mean(), (np.exp(log_p), np.eye(log_p.shape[1])[labels])
