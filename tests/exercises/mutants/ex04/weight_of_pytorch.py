# diagnosis: weight-transposed
# bug: multiplies by the transposed weight, as PyTorch stores it
def forward(x, weight, bias):
    return x @ weight.T + bias, (x, weight)
