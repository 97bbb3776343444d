# diagnosis: aligned-left
# bug: aligns the shapes on the left
def unbroadcast(gy, shape):
    full = tuple(shape) + (1,) * (gy.ndim - len(shape))
    axes = tuple(i for i, n in enumerate(full) if n == 1)
    return gy.sum(axis=axes, keepdims=True).reshape(shape)
