# diagnosis: gelu-forgotten
# bug: skips the Gelu in backward
def backward(gy, saved1, saved2, saved3):
    g, gweight2, gbias2 = Linear.backward(gy.swapaxes(-1, -2), *saved3)
    gx, gweight1, gbias1 = Linear.backward(g, *saved1)
    return gx.swapaxes(-1, -2), gweight1, gbias1, gweight2, gbias2
