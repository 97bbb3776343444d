# diagnosis: eps-outside-root
# bug: adds eps to the standard deviation
def forward(x, weight, bias, eps):
    rstd = 1 / (x.std(axis=-1, keepdims=True) + eps)
    normalized = (x - x.mean(axis=-1, keepdims=True)) * rstd
    return normalized * weight + bias, (normalized, rstd, weight)
