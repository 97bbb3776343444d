# diagnosis: squeezed
# bug: removes every axis of length 1 from the result
def unbroadcast(gy, shape):
    lead = gy.ndim - len(shape)
    for axis in range(gy.ndim):
        if axis < lead or shape[axis - lead] == 1:
            gy = gy.sum(axis, keepdims=True)
    return gy.squeeze()
