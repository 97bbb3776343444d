# diagnosis: mean-for-sum
# bug: averages over the repeated places
def unbroadcast(gy, shape):
    while gy.ndim > len(shape):
        gy = gy.mean(axis=0)
    for i, n in enumerate(shape):
        if n == 1:
            gy = gy.mean(axis=i, keepdims=True)
    return gy
