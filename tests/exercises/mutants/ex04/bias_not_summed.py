# diagnosis: gbias-not-summed
# bug: does not sum the gradient of the bias over the rows
def backward(gy, x, weight):
    rows = gy.reshape(-1, gy.shape[-1])
    return gy @ weight.T, x.reshape(-1, x.shape[-1]).T @ rows, gy
