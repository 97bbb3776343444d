# diagnosis: first-term-only
# bug: takes mean and standard deviation for constants
def backward(gy, normalized, rstd, weight):
    rows = tuple(range(gy.ndim - 1))
    return gy * weight * rstd, (gy * normalized).sum(axis=rows), gy.sum(axis=rows)
