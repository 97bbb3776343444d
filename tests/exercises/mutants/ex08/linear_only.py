# diagnosis: gelu-forgotten
# bug: does not pass the result of Gelu to the second Linear
def forward(x, weight1, bias1, weight2, bias2):
    hidden, saved1 = Linear.forward(x.swapaxes(-1, -2), weight1, bias1)
    _, saved2 = Gelu.forward(hidden)
    y, saved3 = Linear.forward(hidden, weight2, bias2)
    return y.swapaxes(-1, -2), (saved1, saved2, saved3)
