# diagnosis: dtype
# bug: computes in float16
import numpy as np


def forward(x, weight, bias, eps):
    x = np.float16(x)
    mean = x.mean(-1, keepdims=True)
    var = x.var(-1, keepdims=True)
    rstd = (var + eps) ** -0.5
    n = (x - mean) * rstd
    return n * weight + bias, (n, rstd, weight)
