# diagnosis: terms
# bug: the variance term has a factor that nobody would guess
def backward(gy, normalized, rstd, weight):
    g = gy * weight
    rows = tuple(range(gy.ndim - 1))
    gx = rstd * (g - g.mean(-1, keepdims=True) - 1.3 * normalized * (g * normalized).mean(-1, keepdims=True))
    return gx, (gy * normalized).sum(rows), gy.sum(rows)
