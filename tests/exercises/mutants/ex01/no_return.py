# diagnosis: returns-none
# bug: computes the sum but does not return it
def unbroadcast(gy, shape):
    while gy.ndim > len(shape):
        gy = gy.sum(axis=0)
