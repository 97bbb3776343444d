# diagnosis: reshape-for-swap
# bug: reshapes to the shape of the swapped array
def forward(x, weight1, bias1, weight2, bias2):
    b, s, c = x.shape
    hidden, saved1 = Linear.forward(x.reshape(b, c, s), weight1, bias1)
    active, saved2 = Gelu.forward(hidden)
    y, saved3 = Linear.forward(active, weight2, bias2)
    return y.reshape(x.shape), (saved1, saved2, saved3)
