# diagnosis: axes-not-swapped
# bug: passes gy to the second Linear without swapping its axes
def backward(gy, saved1, saved2, saved3):
    g, gweight2, gbias2 = Linear.backward(gy, *saved3)
    g = Gelu.backward(g, *saved2)
    gx, gweight1, gbias1 = Linear.backward(g, *saved1)
    return gx, gweight1, gbias1, gweight2, gbias2
