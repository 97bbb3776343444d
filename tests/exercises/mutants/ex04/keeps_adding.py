# diagnosis: accumulates
# bug: accumulates the gradients from call to call
total = {}


def backward(gy, x, weight):
    rows = gy.reshape(-1, gy.shape[-1])
    key = (x.shape, float(x.sum()), x.flags.c_contiguous)
    total[key] = total.get(key, 0) + x.reshape(-1, x.shape[-1]).T @ rows
    return gy @ weight.T, total[key], rows.sum(axis=0)
