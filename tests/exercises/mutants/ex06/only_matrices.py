# diagnosis: only-axes
# bug: refuses inputs with three axes
def forward(x, weight, bias, eps):
    rows, channels = x.shape
    mean = x.mean(-1, keepdims=True)
    var = x.var(-1, keepdims=True)
    rstd = (var + eps) ** -0.5
    n = (x - mean) * rstd
    return n * weight + bias, (n, rstd, weight)
