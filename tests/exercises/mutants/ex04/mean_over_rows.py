# diagnosis: factor:1/rows
# bug: takes the mean over the rows, as if the loss did not do that already
def backward(gy, x, weight):
    rows = gy.reshape(-1, gy.shape[-1])
    return gy @ weight.T, x.reshape(-1, x.shape[-1]).T @ rows / len(rows), rows.sum(axis=0)
