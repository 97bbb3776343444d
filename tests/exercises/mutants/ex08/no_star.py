# diagnosis: saved-not-unpacked
# bug: forgets the star
def backward(gy, saved1, saved2, saved3):
    g, gweight2, gbias2 = Linear.backward(gy.swapaxes(1, 2), saved3)
    g, gweight1, gbias1 = Linear.backward(Gelu.backward(g, saved2), saved1)
    return g.swapaxes(1, 2), gweight1, gbias1, gweight2, gbias2
