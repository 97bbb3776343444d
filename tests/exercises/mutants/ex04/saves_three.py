# diagnosis: wrong-items
# bug: saves the bias, too
def forward(x, weight, bias):
    return x @ weight + bias, (x, weight, bias)
