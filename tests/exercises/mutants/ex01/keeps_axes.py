# diagnosis: extra-axis
# bug: keeps the new axes with length 1
def unbroadcast(gy, shape):
    padded = (1,) * (gy.ndim - len(shape)) + tuple(shape)
    return gy.sum(axis=tuple(i for i, n in enumerate(padded) if n == 1), keepdims=True)
