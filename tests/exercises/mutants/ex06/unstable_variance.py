# diagnosis: cancellation
# bug: subtracts the square of the mean from the mean of the squares
def forward(x, weight, bias, eps):
    mean = x.mean(-1, keepdims=True)
    var = (x**2).mean(-1, keepdims=True) - mean**2
    rstd = (var + eps) ** -0.5
    n = (x - mean) * rstd
    return n * weight + bias, (n, rstd, weight)
