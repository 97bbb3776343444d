# diagnosis: gweight-of-gy
# bug: gives the scale the gradient of the shift
def backward(gy, normalized, rstd, weight):
    rows, g = tuple(range(gy.ndim - 1)), gy * weight
    gx = rstd * (g - g.mean(axis=-1, keepdims=True) - normalized * (g * normalized).mean(axis=-1, keepdims=True))
    return gx, gy.sum(axis=rows), gy.sum(axis=rows)
