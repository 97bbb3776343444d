# diagnosis: raise-left
# bug: leaves the last line of the template
def forward(x, weight, bias, eps):
    mean = x.mean(-1, keepdims=True)
    var = x.var(-1, keepdims=True)
    rstd = (var + eps) ** -0.5
    y = (x - mean) * rstd * weight + bias
    y.sum()
    raise NotImplementedError
