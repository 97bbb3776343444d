# diagnosis: gy-length-1
# bug: finds the axes by their lengths: a leading axis of length 1 stays
def unbroadcast(gy, shape):
    lead = gy.ndim - len(shape)
    given, full = gy.shape, (1,) * lead + tuple(shape)
    for axis, (have, want) in enumerate(zip(given, full)):
        if have != want:
            gy = gy.sum(axis, keepdims=True)
    return gy.squeeze(tuple(axis for axis in range(lead) if given[axis] != 1))
