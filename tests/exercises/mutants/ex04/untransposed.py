# diagnosis: weight-not-transposed
# bug: multiplies gy by weight as it is
def backward(gy, x, weight):
    rows = gy.reshape(-1, gy.shape[-1])
    return gy @ weight, x.reshape(-1, x.shape[-1]).T @ rows, rows.sum(0)
