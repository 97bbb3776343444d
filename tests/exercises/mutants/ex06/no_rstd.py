# diagnosis: rstd-forgotten
# bug: forgets to divide by the standard deviation
def backward(gy, normalized, rstd, weight):
    rows, g = tuple(range(gy.ndim - 1)), gy * weight
    gx = g - g.mean(axis=-1, keepdims=True) - normalized * (g * normalized).mean(axis=-1, keepdims=True)
    return gx, (gy * normalized).sum(axis=rows), gy.sum(axis=rows)
