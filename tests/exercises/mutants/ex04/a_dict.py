# diagnosis: a-dict
# bug: returns the gradients by name
def backward(gy, x, weight):
    rows = gy.reshape(-1, gy.shape[-1])
    return {"gx": gy @ weight.T, "gweight": x.reshape(-1, x.shape[-1]).T @ rows, "gbias": rows.sum(0)}
