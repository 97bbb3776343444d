# diagnosis: bias-correction-forgotten
# bug: uses the running means without correction
import numpy as np


def adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    update = m / (np.sqrt(v) + eps)
    return p - lr * (update + weight_decay * p), m, v
