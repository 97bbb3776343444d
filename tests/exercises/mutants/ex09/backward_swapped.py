# diagnosis: permuted
# bug: returns the gradients of the norms in the order of computation
def backward(gy, saved1, saved2, saved3, saved4):
    g, *mlp2 = ChannelMixing.backward(gy, *saved4)
    g, *norm2 = LayerNorm.backward(g, *saved3)
    gu = gy + g
    g, *mlp1 = TokenMixing.backward(gu, *saved2)
    g, *norm1 = LayerNorm.backward(g, *saved1)
    return gu + g, norm2, mlp1, norm1, mlp2
