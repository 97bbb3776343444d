# diagnosis: transpose-back-forgotten
# bug: returns the gradient of x with the patches on the last axis
def backward(gy, saved1, saved2, saved3):
    g, gweight2, gbias2 = Linear.backward(gy.swapaxes(-1, -2), *saved3)
    gx, gweight1, gbias1 = Linear.backward(Gelu.backward(g, *saved2), *saved1)
    return gx, gweight1, gbias1, gweight2, gbias2
