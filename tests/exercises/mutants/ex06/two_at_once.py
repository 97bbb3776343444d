# diagnosis: variance-term-forgotten+weight-forgotten
# bug: forgets the variance, and forgets weight
def backward(gy, normalized, rstd, weight):
    rows = tuple(range(gy.ndim - 1))
    return rstd * gy - (rstd * gy).mean(-1, keepdims=True), (gy * normalized).sum(rows), gy.sum(rows)
