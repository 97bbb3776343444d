# diagnosis: residual-added
# bug: adds x, which is the job of the block
def forward(x, weight1, bias1, weight2, bias2):
    hidden, saved1 = Linear.forward(x.swapaxes(-1, -2), weight1, bias1)
    active, saved2 = Gelu.forward(hidden)
    y, saved3 = Linear.forward(active, weight2, bias2)
    return x + y.swapaxes(-1, -2), (saved1, saved2, saved3)
