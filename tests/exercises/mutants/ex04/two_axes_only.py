# diagnosis: two-axes-only
# bug: multiplies by x.T, which turns around all axes
def backward(gy, x, weight):
    return gy @ weight.T, x.T @ gy, gy.sum(0)
