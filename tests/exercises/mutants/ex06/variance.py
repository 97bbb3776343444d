# diagnosis: no-root
# bug: divides by the variance
def forward(x, weight, bias, eps):
    rstd = 1 / (x.var(axis=-1, keepdims=True) + eps)
    normalized = (x - x.mean(axis=-1, keepdims=True)) * rstd
    return normalized * weight + bias, (normalized, rstd, weight)
