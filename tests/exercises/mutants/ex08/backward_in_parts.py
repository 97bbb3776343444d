# diagnosis: wrong-count
# bug: returns the gradient of x alone
def backward(gy, saved1, saved2, saved3):
    g = Linear.backward(gy.swapaxes(-1, -2), *saved3)[0]
    return Linear.backward(Gelu.backward(g, *saved2), *saved1)[0].swapaxes(-1, -2)
