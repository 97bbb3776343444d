# diagnosis: changes
# bug: uses the number of calls so far
calls = []


def forward(x, weight, bias, eps):
    calls.append(1)
    rstd = (x.var(-1, keepdims=True) + eps) ** -0.5
    n = (x - x.mean(-1, keepdims=True)) * rstd
    return n * weight + bias * len(calls), (n, rstd, weight)
