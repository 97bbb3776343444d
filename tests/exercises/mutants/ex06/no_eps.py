# diagnosis: eps-forgotten
# bug: does not use eps
def forward(x, weight, bias, eps):
    rstd = 1 / x.std(axis=-1, keepdims=True)
    normalized = (x - x.mean(axis=-1, keepdims=True)) * rstd
    return normalized * weight + bias, (normalized, rstd, weight)
