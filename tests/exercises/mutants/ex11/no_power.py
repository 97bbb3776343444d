# diagnosis: power-forgotten
# bug: corrects as in the first step
def adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1), v / (1 - beta2)
    return p - lr * (m_hat / (v_hat**0.5 + eps) + weight_decay * p), m, v
