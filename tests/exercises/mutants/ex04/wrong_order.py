# diagnosis: swapped
# bug: returns the gradient of weight before the gradient of x
def backward(gy, x, weight):
    rows = gy.reshape(-1, gy.shape[-1])
    return x.reshape(-1, x.shape[-1]).T @ rows, gy @ weight.T, rows.sum(axis=0)
