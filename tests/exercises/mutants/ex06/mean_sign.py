# diagnosis: mean-term-sign
# bug: adds the term through the mean instead of subtracting it
def backward(gy, normalized, rstd, weight):
    rows, c = tuple(range(gy.ndim - 1)), gy.shape[-1]
    g = gy * weight
    through_mean = g.sum(-1, keepdims=True) / c
    through_variance = normalized * (g * normalized).sum(-1, keepdims=True) / c
    return (g + through_mean - through_variance) * rstd, (gy * normalized).sum(rows), gy.sum(rows)
