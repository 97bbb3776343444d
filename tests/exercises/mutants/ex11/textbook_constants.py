# diagnosis: constants-fixed
# bug: uses the textbook constants
def adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    m = m + 0.1 * (g - m)
    v = v + 0.001 * (g * g - v)
    m_hat, v_hat = m / (1 - 0.9**step), v / (1 - 0.999**step)
    return p - lr * (m_hat / (v_hat**0.5 + 1e-8) + weight_decay * p), m, v
