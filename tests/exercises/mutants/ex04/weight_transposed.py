# diagnosis: gweight-transposed
# bug: multiplies in the other order
def backward(gy, x, weight):
    rows = gy.reshape(-1, gy.shape[-1])
    return gy @ weight.T, rows.T @ x.reshape(-1, x.shape[-1]), rows.sum(axis=0)
