# diagnosis: parameters
# bug: has one parameter more
def forward(x, weight, bias, eps, axis):
    mean = x.mean(-1, keepdims=True)
    var = x.var(-1, keepdims=True)
    rstd = (var + eps) ** -0.5
    n = (x - mean) * rstd
    return n * weight + bias, (n, rstd, weight)
