# diagnosis: first-term-only
# bug: treats Phi as a constant
def backward(gy, x, phi):
    return gy * phi
