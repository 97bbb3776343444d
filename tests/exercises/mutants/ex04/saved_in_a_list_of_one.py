# diagnosis: no-tuple
# bug: brackets without a comma
def forward(x, weight, bias):
    return x @ weight + bias, (x)
