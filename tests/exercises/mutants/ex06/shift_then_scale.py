# diagnosis: bias-before-weight
# bug: adds bias before it multiplies by weight
def forward(x, weight, bias, eps):
    mean = x.mean(-1, keepdims=True)
    var = x.var(-1, keepdims=True)
    rstd = (var + eps) ** -0.5
    n = (x - mean) * rstd
    return weight * (n + bias), (n, rstd, weight)
