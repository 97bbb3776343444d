# diagnosis: a-list
# bug: returns nested lists
def unbroadcast(gy, shape):
    lead = gy.ndim - len(shape)
    axes = tuple(i for i in range(gy.ndim) if i < lead or shape[i - lead] == 1)
    return gy.sum(axis=axes, keepdims=True).reshape(shape).tolist()
