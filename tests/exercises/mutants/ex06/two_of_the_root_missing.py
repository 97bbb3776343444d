# diagnosis: variance-term-twice
# bug: the derivative of the root lacks its one half
def backward(gy, normalized, rstd, weight):
    g = gy * weight
    c = gy.shape[-1]
    centered = normalized / rstd
    gvar = -(g * centered).sum(-1, keepdims=True) * rstd**3
    gx = g * rstd + 2 * gvar * centered / c - (g * rstd).mean(-1, keepdims=True)
    rows = tuple(range(gy.ndim - 1))
    return gx, (gy * normalized).sum(rows), gy.sum(rows)
