# diagnosis: branch-gets-half
# bug: gives the token half only what came through the channel half
def backward(gy, saved1, saved2, saved3, saved4):
    g, *mlp2 = ChannelMixing.backward(gy, *saved4)
    through, *norm2 = LayerNorm.backward(g, *saved3)
    g, *mlp1 = TokenMixing.backward(through, *saved2)
    g, *norm1 = LayerNorm.backward(g, *saved1)
    return gy + through + g, norm1, mlp1, norm2, mlp2
