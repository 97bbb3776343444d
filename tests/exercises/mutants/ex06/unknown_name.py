# diagnosis: name-unknown
# bug: uses a module that is not imported
def backward(gy, normalized, rstd, weight):
    return numpy.zeros(3), gy, gy
