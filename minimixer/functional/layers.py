"""What layers of a network compute."""

from typing import Literal

import numpy as np

from minimixer.backend import Array
from minimixer.ops.gelu import GELU, GELUErf
from minimixer.ops.groupnorm import GroupNorm
from minimixer.ops.layernorm import LayerNorm
from minimixer.ops.linear import Linear
from minimixer.tensor import Tensor, apply

GeluForm = Literal["tanh", "erf"]
GELU_FORMS = {"tanh": GELU, "erf": GELUErf}


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x @ weight + bias``.

    Parameters
    ----------
    x : Tensor, shape (..., in)
    weight : Tensor, shape (in, out)
    bias : Tensor, shape (out,), optional

    Returns
    -------
    Tensor, shape (..., out)

    Raises
    ------
    ValueError
        If the shapes do not fit.
    TypeError
        If their dtypes differ, such as float64 images and float32 weights.
    """
    if weight.ndim != 2 or (bias is not None and bias.shape != weight.shape[1:]):
        given = "None" if bias is None else bias.shape
        raise ValueError(f"linear: weight has shape {weight.shape}, bias {given}, expected (in, out) and (out,)")
    if x.ndim == 0 or x.shape[-1] != weight.shape[0]:
        raise ValueError(f"linear: x has shape {x.shape}, expected {weight.shape[0]} elements in its last axis, as in "
                         f"the first of weight {weight.shape}; is an axis swapped, or the weight stored as (out, in)?")
    _check_dtypes("linear", x, weight, weight if bias is None else bias)
    return x @ weight if bias is None else apply(Linear, x, weight, bias)


def _check_dtypes(name: str, x: Tensor, weight: Tensor, bias: Tensor) -> None:
    if not x.dtype == weight.dtype == bias.dtype or x.dtype.kind != "f":
        raise TypeError(f"{name}: x is {x.dtype}, weight {weight.dtype} and bias {bias.dtype}, expected one "
                        "floating-point type: convert the array before it becomes a Tensor, as in "
                        "array.astype('float32')")


def gelu(x: Tensor, form: GeluForm = "tanh") -> Tensor:
    """GELU, x times the cumulative normal distribution at x (Hendrycks & Gimpel 2016), element by element.

    Parameters
    ----------
    x : Tensor, any shape
    form : "tanh" or "erf"
        "tanh" is the approximation that the official Mixer uses, "erf" the exact form of timm and PyTorch's
        default.  They differ by less than 5e-4.

    Raises
    ------
    ValueError
        If form is not 'tanh' or 'erf'.
    TypeError
        If x holds integers.
    """
    if x.dtype.kind != "f":
        raise TypeError(f"gelu: x is {x.dtype}, expected floating-point numbers: convert the array with "
                        ".astype('float32')")
    if form not in GELU_FORMS:
        raise ValueError(f"gelu: form is {form!r}, expected 'tanh' or 'erf'")
    return apply(GELU_FORMS[form], x)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-6) -> Tensor:
    """Normalize the last axis to mean 0 and variance 1, then scale and shift (Ba et al. 2016).

    Parameters
    ----------
    x : Tensor, shape (..., C)
    weight, bias : Tensor, shape (C,)
    eps : float
        Added to the variance, which is the biased one (divided by C); 1e-6 as in the official Mixer.

    Raises
    ------
    ValueError
        If weight or bias is not of shape (C,).
    TypeError
        If their dtypes differ.
    """
    if not x.shape[-1:] == weight.shape == bias.shape:
        raise ValueError(f"layer_norm: the last axis of x {x.shape} is normalized, so weight and bias must have shape "
                         f"{x.shape[-1:]}, got {weight.shape} and {bias.shape}; is an axis swapped?")
    _check_dtypes("layer_norm", x, weight, bias)
    return apply(LayerNorm, x, weight, bias, eps=eps)


def group_norm(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float = 1e-6) -> Tensor:
    """Normalize every group of channels of an image to mean 0 and variance 1, then scale and shift (Wu & He 2018).

    Parameters
    ----------
    x : Tensor, shape (B, H, W, C)
    weight, bias : Tensor, shape (C,)
    groups : int
        Divides C; the channels of a group are neighbors.
    eps : float
        Added to the variance.

    Raises
    ------
    ValueError
        If the shapes do not fit, or groups does not divide C.
    TypeError
        If their dtypes differ.
    """
    if x.ndim != 4 or not x.shape[-1:] == weight.shape == bias.shape:
        raise ValueError(f"group_norm: x has shape {x.shape}, weight {weight.shape} and bias {bias.shape}, expected "
                         "(B, H, W, C), (C,) and (C,)")
    if groups < 1 or x.shape[-1] % groups:
        raise ValueError(f"group_norm: {x.shape[-1]} channels cannot be cut into {groups} groups of one size: change "
                         "groups to a number that divides them")
    _check_dtypes("group_norm", x, weight, bias)
    return apply(GroupNorm, x, weight, bias, groups=groups, eps=eps)


def batch_norm(x: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalize each channel by a mean and a variance, then scale and shift (Ioffe & Szegedy 2015).

    Parameters
    ----------
    x : Tensor, shape (..., C)
    mean, var : Tensor, shape (C,)
        Those of the batch, ``x.mean(axes)`` and ``x.var(axes)`` over all axes but the last, through which gradients
        flow; or running averages, of which none is asked.
    weight, bias : Tensor, shape (C,)
    eps : float
        Added to the variance.

    Raises
    ------
    ValueError
        If one of them is not of shape (C,).
    TypeError
        If the dtypes of x, weight and bias differ.
    """
    for name, t in (("mean", mean), ("var", var), ("weight", weight), ("bias", bias)):
        if x.ndim < 1 or t.shape != x.shape[-1:]:
            raise ValueError(f"batch_norm: x has shape {x.shape}, {name} {t.shape}, expected (..., C) and (C,)")
    _check_dtypes("batch_norm", x, weight, bias)
    return (x - mean) * (weight / (var + eps).sqrt()) + bias


def embedding(ids: Tensor | Array, weight: Tensor) -> Tensor:
    """Rows of a table: ``weight[ids]``; where a row is taken several times, its gradients add up.

    Parameters
    ----------
    ids : array or Tensor of integers, shape (...)
        In 0..N - 1.
    weight : Tensor, shape (N, C)

    Returns
    -------
    Tensor, shape (..., C)

    Raises
    ------
    TypeError
        If the ids are not integers.
    ValueError
        If weight is no table, or an id has no row.  Ids on a GPU are not checked, because that would make the host
        wait.
    """
    numbers = ids.data if isinstance(ids, Tensor) else Tensor(ids).data
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight has shape {weight.shape}, expected (N, C)")
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"embedding: ids are {numbers.dtype}, expected integers")
    if isinstance(numbers, np.ndarray) and numbers.size and not 0 <= numbers.min() <= numbers.max() < len(weight):
        wrong = numbers[(numbers < 0) | (numbers >= len(weight))].flat[0]
        raise ValueError(f"embedding: id {wrong} has no row, expected 0..{len(weight) - 1}")
    return weight[numbers if numbers.ndim else int(numbers)]
