"""The ops as functions on Tensors, named as in NumPy and torch.nn.functional.  Arguments are checked here, once."""

from minimixer.functional.elementwise import (
    abs,
    clip,
    cos,
    cosh,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    relu,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    sqrt,
    tanh,
    where,
)
from minimixer.functional.images import avg_pool2d, max_pool2d, patches, unfold
from minimixer.functional.layers import (
    GELU_FORMS,
    GeluForm,
    batch_norm,
    embedding,
    gelu,
    group_norm,
    layer_norm,
    linear,
)
from minimixer.functional.losses import cross_entropy, log_softmax, logsumexp, softmax
from minimixer.functional.products import cumsum, einsum, matmul, std, var
from minimixer.functional.shaping import (
    broadcast_to,
    concatenate,
    expand_dims,
    flatten,
    flip,
    pad,
    repeat,
    roll,
    split,
    squeeze,
    stack,
)

__all__ = ["GELU_FORMS", "GeluForm", "abs", "avg_pool2d", "batch_norm", "broadcast_to", "clip", "concatenate", "cos",
           "cosh", "cross_entropy", "cumsum", "einsum", "embedding", "exp", "expand_dims", "expm1", "flatten", "flip",
           "gelu", "group_norm", "layer_norm", "linear", "log", "log1p", "log_softmax", "logsumexp", "matmul",
           "max_pool2d", "maximum", "minimum", "pad", "patches", "relu", "repeat", "roll", "sigmoid", "sign", "sin",
           "sinh", "softmax", "softplus", "split", "sqrt", "squeeze", "stack", "std", "tanh", "unfold", "var", "where"]
