# diagnosis: gelu-last
# bug: puts the Gelu at the end
def forward(x, weight1, bias1, weight2, bias2):
    hidden, saved1 = Linear.forward(x.swapaxes(1, 2), weight1, bias1)
    y, saved3 = Linear.forward(hidden, weight2, bias2)
    y, saved2 = Gelu.forward(y)
    return y.swapaxes(1, 2), (saved1, saved2, saved3)
