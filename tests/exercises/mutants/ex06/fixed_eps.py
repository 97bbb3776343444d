# diagnosis: own-eps
# bug: uses an eps of its own
def forward(x, weight, bias, eps):
    mean = x.mean(-1, keepdims=True)
    var = x.var(-1, keepdims=True)
    rstd = (var + 1e-5) ** -0.5
    n = (x - mean) * rstd
    return n * weight + bias, (n, rstd, weight)
