# diagnosis: ones-not-summed
# bug: sums the axes that broadcasting added in front, and forgets the axes that had length 1
def unbroadcast(gy, shape):
    while gy.ndim > len(shape):
        gy = gy.sum(axis=0)
    return gy
