# diagnosis: eps-inside-root+decay-without-lr
# bug: eps inside the root, and the decay without lr
def adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * m_hat / (v_hat + eps) ** 0.5 - weight_decay * p, m, v
