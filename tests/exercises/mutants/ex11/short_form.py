# diagnosis: eps-of-uncorrected
# bug: adds eps to the root of the uncorrected v
def adamw_step(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    scaled = lr * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
    return p * (1 - lr * weight_decay) - scaled * m / (v**0.5 + eps), m, v
