# diagnosis: first-only
# bug: keeps only one of the repeated places
def unbroadcast(gy, shape):
    while gy.ndim > len(shape):
        gy = gy[0]
    for i, n in enumerate(shape):
        if n == 1:
            gy = gy.take([0], axis=i)
    return gy
