# diagnosis: variance-term-forgotten
# bug: treats the standard deviation as a constant
def backward(gy, normalized, rstd, weight):
    rows = tuple(range(gy.ndim - 1))
    g = gy * weight * rstd
    return g - g.mean(axis=-1, keepdims=True), (gy * normalized).sum(axis=rows), gy.sum(axis=rows)
