# diagnosis: max-for-sum
# bug: takes the largest gradient of all uses
def unbroadcast(gy, shape):
    lead = gy.ndim - len(shape)
    axes = tuple(i for i in range(gy.ndim) if i < lead or shape[i - lead] == 1)
    return gy.max(axis=axes, keepdims=True).reshape(shape)
