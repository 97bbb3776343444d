# diagnosis: gbias-first-axis
# bug: sums the first axis only, although x may have more
def backward(gy, x, weight):
    rows = gy.reshape(-1, gy.shape[-1])
    return gy @ weight.T, x.reshape(-1, x.shape[-1]).T @ rows, gy.sum(axis=0)
