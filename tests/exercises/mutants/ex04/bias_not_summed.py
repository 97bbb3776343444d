# diagnosis: not-summed
# bug: gives the bias the gradient of every row
def backward(gy, x, weight):
    rows = gy.reshape(-1, gy.shape[-1])
    return gy @ weight.T, x.reshape(-1, x.shape[-1]).T @ rows, gy
