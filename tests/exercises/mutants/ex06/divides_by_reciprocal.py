# diagnosis: divides-by-rstd
# bug: takes rstd for the standard deviation
def backward(gy, normalized, rstd, weight):
    g = gy * weight
    gx = (g - g.mean(-1, keepdims=True) - normalized * (g * normalized).mean(-1, keepdims=True)) / rstd
    rows = tuple(range(gy.ndim - 1))
    return gx, (gy * normalized).sum(rows), gy.sum(rows)
