# diagnosis: eps-squared
# bug: squares eps
def forward(x, weight, bias, eps):
    mean = x.mean(-1, keepdims=True)
    var = x.var(-1, keepdims=True)
    rstd = (var + eps * eps) ** -0.5
    n = (x - mean) * rstd
    return n * weight + bias, (n, rstd, weight)
