# diagnosis: axes-move
# bug: sums one leading axis after the other by its old number
def unbroadcast(gy, shape):
    lead = gy.ndim - len(shape)
    for axis in range(lead):
        gy = gy.sum(axis)
    for axis in range(len(shape)):
        if shape[axis] == 1:
            gy = gy.sum(axis, keepdims=True)
    return gy
