# diagnosis: leading-not-summed
# bug: sums the axes that had length 1, and forgets the leading axes that broadcasting added
def unbroadcast(gy, shape):
    offset = gy.ndim - len(shape)
    for i, n in enumerate(shape):
        if n == 1:
            gy = gy.sum(axis=i + offset, keepdims=True)
    return gy
