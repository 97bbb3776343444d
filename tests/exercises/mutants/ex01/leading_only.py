# diagnosis: ones-not-summed
# bug: sums the leading axes that broadcasting added, and forgets the axes that had length 1
def unbroadcast(gy, shape):
    while gy.ndim > len(shape):
        gy = gy.sum(axis=0)
    return gy
