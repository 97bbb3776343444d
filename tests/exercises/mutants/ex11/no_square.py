# diagnosis: square-forgotten
# bug: averages the gradient itself in v
import numpy as np


def adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    update = m_hat / (np.sqrt(v_hat) + eps)
    return p - lr * (update + weight_decay * p), m, v
