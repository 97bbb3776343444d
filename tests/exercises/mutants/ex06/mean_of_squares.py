# diagnosis: mean-not-subtracted-in-variance
# bug: takes the mean of the squares of x for the variance
def forward(x, weight, bias, eps):
    rstd = ((x * x).mean(-1, keepdims=True) + eps) ** -0.5
    n = (x - x.mean(-1, keepdims=True)) * rstd
    return n * weight + bias, (n, rstd, weight)
