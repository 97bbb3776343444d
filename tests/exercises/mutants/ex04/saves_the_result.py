# diagnosis: saved
# bug: saves y instead of x
def forward(x, weight, bias):
    y = x @ weight + bias
    return y, (y[..., :1] + 0 * x, weight)
