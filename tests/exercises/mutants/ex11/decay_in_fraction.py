# diagnosis: decay-in-numerator
# bug: divides the decay by the root, too
def adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    return p - lr * (m_hat + weight_decay * p) / (v_hat**0.5 + eps), m, v
