# diagnosis: not-grouped
# bug: returns x and weight beside y
def forward(x, weight, bias):
    return x @ weight + bias, x, weight
