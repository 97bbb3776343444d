# diagnosis: variance-term-sign
# bug: adds the term through the variance instead of subtracting it
def backward(gy, normalized, rstd, weight):
    rows = tuple(range(gy.ndim - 1))
    g = gy * weight
    centered = g - np.mean(g, -1, keepdims=True)
    gx = rstd * (centered + normalized * np.mean(g * normalized, -1, keepdims=True))
    return gx, np.sum(gy * normalized, rows), np.sum(gy, rows)
