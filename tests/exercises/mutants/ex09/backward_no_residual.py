# diagnosis: residual-forgotten
# bug: goes back through the branches only
def backward(gy, saved1, saved2, saved3, saved4):
    g, *mlp2 = ChannelMixing.backward(gy, *saved4)
    g, *norm2 = LayerNorm.backward(g, *saved3)
    g, *mlp1 = TokenMixing.backward(g, *saved2)
    g, *norm1 = LayerNorm.backward(g, *saved1)
    return g, norm1, mlp1, norm2, mlp2
