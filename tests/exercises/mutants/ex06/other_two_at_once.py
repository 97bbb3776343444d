# diagnosis: variance-term-sign+weight-last
# bug: has a wrong sign, and multiplies by weight at the end
def backward(gy, normalized, rstd, weight):
    rows = tuple(range(gy.ndim - 1))
    inner = gy - gy.mean(-1, keepdims=True) + normalized * (gy * normalized).mean(-1, keepdims=True)
    return weight * rstd * inner, (gy * normalized).sum(rows), gy.sum(rows)
