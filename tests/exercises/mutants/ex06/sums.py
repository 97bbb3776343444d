# diagnosis: sum-for-mean
# bug: sums over the row
def backward(gy, normalized, rstd, weight):
    rows, g = tuple(range(gy.ndim - 1)), gy * weight
    gx = (g - g.sum(axis=-1, keepdims=True) - normalized * (g * normalized).sum(axis=-1, keepdims=True)) * rstd
    return gx, (gy * normalized).sum(axis=rows), gy.sum(axis=rows)
