# diagnosis: first-term-only
# bug: treats the mean and the standard deviation as constants
def backward(gy, normalized, rstd, weight):
    rows = tuple(range(gy.ndim - 1))
    return gy * weight * rstd, (gy * normalized).sum(axis=rows), gy.sum(axis=rows)
