# diagnosis: gweight-averaged
# bug: takes the mean over the rows, although the loss already does
def backward(gy, x, weight):
    rows = gy.reshape(-1, gy.shape[-1])
    return gy @ weight.T, x.reshape(-1, x.shape[-1]).T @ rows / len(rows), rows.sum(axis=0)
