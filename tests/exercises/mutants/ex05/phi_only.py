# diagnosis: first-term-only
# bug: takes Phi for a constant
def backward(gy, x, phi):
    return gy * phi
