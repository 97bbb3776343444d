# diagnosis: step-from-2
# bug: counts the steps from 0 and adds 1 to a step that counts from 1
import numpy as np


def adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    t = step + 1
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    update = m_hat / (np.sqrt(v_hat) + eps)
    return p - lr * (update + weight_decay * p), m, v
