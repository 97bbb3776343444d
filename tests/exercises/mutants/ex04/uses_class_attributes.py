# diagnosis: hidden-state
# bug: backward uses what forward stored on the class
def remembering(x, weight, bias):
    Linear.kept = (x, weight)
    return x @ weight + bias, (x, weight)


Linear.forward = staticmethod(remembering)


def backward(gy, x, weight):
    x, weight = Linear.kept
    rows = gy.reshape(-1, gy.shape[-1])
    return gy @ weight.T, x.reshape(-1, x.shape[-1]).T @ rows, rows.sum(0)
