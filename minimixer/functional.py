"""The ops as functions on Tensors, named as in torch.nn.functional.  Arguments are checked here, once."""

from typing import Literal

import numpy as np

from minimixer.backend import Array
from minimixer.ops.cross_entropy import CrossEntropy
from minimixer.ops.gelu import GELU, GELUErf
from minimixer.ops.groupnorm import GroupNorm
from minimixer.ops.layernorm import LayerNorm
from minimixer.ops.linear import Linear
from minimixer.ops.patches import Patches
from minimixer.ops.relu import ReLU
from minimixer.ops.softmax import Softmax
from minimixer.ops.unfold import Unfold
from minimixer.tensor import Tensor, apply

GeluForm = Literal["tanh", "erf"]
GELU_FORMS = {"tanh": GELU, "erf": GELUErf}


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``x @ weight + bias``.

    Parameters
    ----------
    x : Tensor, shape (..., in)
    weight : Tensor, shape (in, out)
    bias : Tensor, shape (out,)

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
    if weight.ndim != 2 or bias.shape != weight.shape[1:]:
        raise ValueError(f"linear: weight has shape {weight.shape}, bias {bias.shape}, expected (in, out) and (out,)")
    if x.ndim == 0 or x.shape[-1] != weight.shape[0]:
        raise ValueError(f"linear: x has shape {x.shape}, expected {weight.shape[0]} elements in its last axis, as in "
                         f"the first of weight {weight.shape}; is an axis swapped, or the weight stored as (out, in)?")
    _check_dtypes("linear", x, weight, bias)
    return apply(Linear, x, weight, bias)


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


def relu(x: Tensor) -> Tensor:
    """``max(x, 0)``, element by element.  x: any shape."""
    return apply(ReLU, x)


def softmax(x: Tensor) -> Tensor:
    """Probabilities from logits over the last axis: ``exp(x_i) / sum_j exp(x_j)``.  x: (..., K), the result too."""
    return apply(Softmax, x)


def cross_entropy(logits: Tensor, labels: Tensor | Array, label_smoothing: float = 0.0,
                  reduction: Literal["mean", "sum"] = "mean") -> Tensor:
    """Negative log-likelihood of the labels under softmax(logits), in nats.

    Parameters
    ----------
    logits : Tensor, shape (B, K)
    labels : array or Tensor
        Class numbers, integers of shape (B,) in 0..K-1, or probabilities of shape (B, K).
    label_smoothing : float in [0, 1)
        This share of every target is spread evenly over the classes (Szegedy et al. 2015).
    reduction : "mean" or "sum"
        Over the batch.

    Returns
    -------
    Tensor, shape ()

    Raises
    ------
    ValueError
        If a shape, a class number or an option is out of range.  Class numbers on a GPU are not checked, because
        that would make the host wait: check them before you move them.
    """
    targets = labels if isinstance(labels, Tensor) else Tensor(labels)
    if logits.ndim != 2:
        raise ValueError(f"cross_entropy: logits have shape {logits.shape}, expected (B, K)")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"cross_entropy: label_smoothing is {label_smoothing}, expected a number in [0, 1)")
    if reduction not in ("mean", "sum"):
        raise ValueError(f"cross_entropy: reduction is {reduction!r}, expected 'mean' or 'sum'")
    batch, classes = logits.shape
    is_soft = targets.dtype.kind == "f"
    if targets.shape != ((batch, classes) if is_soft else (batch,)):
        raise ValueError(f"cross_entropy: labels have shape {targets.shape} and dtype {targets.dtype}, expected "
                         f"integers of shape ({batch},) or probabilities of shape ({batch}, {classes})")
    if not is_soft and isinstance(targets.data, np.ndarray):
        wrong = (targets.data < 0) | (targets.data >= classes)
        if wrong.any():
            raise ValueError(f"cross_entropy: label {targets.data[wrong][0]} at position {wrong.argmax()}, expected "
                             f"0..{classes - 1} for logits of {classes} classes")
    loss = apply(CrossEntropy, logits, targets.detach(), label_smoothing=label_smoothing)
    return loss / batch if reduction == "mean" else loss


def patches(images: Tensor, patch_size: int) -> Tensor:
    """Cut images into square patches, flattened in (row, column, channel) order.

    Parameters
    ----------
    images : Tensor, shape (B, H, W, channels)
    patch_size : int
        P, in pixels.

    Returns
    -------
    Tensor, shape (B, S, P * P * channels)
        S = (H / P) * (W / P) patches in reading order.

    Raises
    ------
    ValueError
        If P does not divide H and W.
    """
    if images.ndim != 4:
        raise ValueError(f"patches: images have shape {images.shape}, expected (B, H, W, channels)")
    _, height, width, _ = images.shape
    if patch_size < 1 or height % patch_size or width % patch_size:
        raise ValueError(f"patches: images of {height} x {width} pixels cannot be cut into patches of {patch_size} x "
                         f"{patch_size}: change patch_size to a number that divides both, or resize the images")
    return apply(Patches, images, patch_size=patch_size)


def unfold(images: Tensor, kernel_size: int, stride: int = 1, padding: int = 0) -> Tensor:
    """All square windows of images, flattened in (row, column, channel) order.

    Parameters
    ----------
    images : Tensor, shape (B, H, W, C)
    kernel_size : int
        K, side of a window in pixels.
    stride : int
        Pixels from one window to the next.
    padding : int
        Zeros added on every side.

    Returns
    -------
    Tensor, shape (B, H', W', K * K * C)
        H' = (H + 2 * padding - K) // stride + 1, and W' likewise.

    Raises
    ------
    ValueError
        If a number is out of range, or the padded image is smaller than a window.
    """
    if images.ndim != 4:
        raise ValueError(f"unfold: images have shape {images.shape}, expected (B, H, W, C)")
    if kernel_size < 1 or stride < 1 or padding < 0:
        raise ValueError(f"unfold: kernel_size is {kernel_size}, stride {stride}, padding {padding}, expected numbers "
                         "from 1, 1 and 0")
    if min(images.shape[1:3]) + 2 * padding < kernel_size:
        raise ValueError(f"unfold: windows of {kernel_size} x {kernel_size} are larger than images of "
                         f"{images.shape[1]} x {images.shape[2]} with {padding} pixels around them")
    return apply(Unfold, images, kernel_size=kernel_size, stride=stride, padding=padding)
