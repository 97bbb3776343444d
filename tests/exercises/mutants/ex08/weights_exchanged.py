# diagnosis: weights-swapped
# bug: uses the second layer first
def forward(x, weight1, bias1, weight2, bias2):
    hidden, saved1 = Linear.forward(x.swapaxes(1, 2), weight2, bias2)
    active, saved2 = Gelu.forward(hidden)
    y, saved3 = Linear.forward(active, weight1, bias1)
    return y.swapaxes(1, 2), (saved1, saved2, saved3)
