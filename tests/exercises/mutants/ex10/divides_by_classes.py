# diagnosis: divides-by-classes
# bug: divides by the number of classes
def backward(gy, p, labels):
    g = p.copy()
    g[range(len(p)), labels] -= 1
    return g * (gy / g.shape[1])
