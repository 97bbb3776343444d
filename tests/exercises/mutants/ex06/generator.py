# diagnosis: generator
# bug: yields
def backward(gy, normalized, rstd, weight):
    yield gy
