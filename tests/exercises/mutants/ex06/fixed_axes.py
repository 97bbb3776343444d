# diagnosis: only-axes
# bug: sums the gradients of weight and bias over the first two axes, regardless of how many there are
def backward(gy, normalized, rstd, weight):
    g = gy * weight
    gx = rstd * (g - g.mean(axis=-1, keepdims=True) - normalized * (g * normalized).mean(axis=-1, keepdims=True))
    return gx, (gy * normalized).sum(axis=(0, 1)), gy.sum(axis=(0, 1))
