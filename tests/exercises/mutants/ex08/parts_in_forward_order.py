# diagnosis: order-of-forward
# bug: goes through the parts in the order of forward
def backward(gy, saved1, saved2, saved3):
    g, gweight1, gbias1 = Linear.backward(gy.swapaxes(1, 2), *saved1)
    g, gweight2, gbias2 = Linear.backward(Gelu.backward(g, *saved2), *saved3)
    return g.swapaxes(1, 2), gweight1, gbias1, gweight2, gbias2
