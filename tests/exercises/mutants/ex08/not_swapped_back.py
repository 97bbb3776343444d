# diagnosis: transpose-back-forgotten
# bug: leaves the patches on the last axis
def forward(x, weight1, bias1, weight2, bias2):
    hidden, saved1 = Linear.forward(x.transpose(0, 2, 1), weight1, bias1)
    active, saved2 = Gelu.forward(hidden)
    y, saved3 = Linear.forward(active, weight2, bias2)
    return y, (saved1, saved2, saved3)
