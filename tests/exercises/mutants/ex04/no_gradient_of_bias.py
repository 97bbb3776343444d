# diagnosis: missing
# bug: returns None for the bias
def backward(gy, x, weight):
    rows = gy.reshape(-1, gy.shape[-1])
    return gy @ weight.T, x.reshape(-1, x.shape[-1]).T @ rows, None
