# diagnosis: logistic-derivative
# bug: differentiates Phi like a sigmoid
def backward(gy, x, phi):
    return gy * phi + gy * x * phi * (1 - phi)
