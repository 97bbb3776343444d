# diagnosis: tuple-not-unpacked
# bug: gives the whole result of a part to the next
def forward(x, weight1, bias1, weight2, bias2):
    hidden = Linear.forward(x.swapaxes(1, 2), weight1, bias1)
    active = Gelu.forward(hidden)
    return Linear.forward(active, weight2, bias2)
