# diagnosis: rows-for-channels
# bug: divides by the number of rows, as in batch norm
def backward(gy, normalized, rstd, weight):
    n = len(gy)
    g = gy * weight
    both = g.sum(-1, keepdims=True) + normalized * (g * normalized).sum(-1, keepdims=True)
    rows = tuple(range(gy.ndim - 1))
    return rstd / n * (n * g - both), (gy * normalized).sum(rows), gy.sum(rows)
