# diagnosis: weight-forgotten
# bug: forgets the scale between y and the normalized x
def backward(gy, normalized, rstd, weight):
    rows = tuple(range(gy.ndim - 1))
    inner = normalized * (gy * normalized).mean(axis=-1, keepdims=True)
    gx = (gy - gy.mean(axis=-1, keepdims=True) - inner) * rstd
    return gx, (gy * normalized).sum(axis=rows), gy.sum(axis=rows)
