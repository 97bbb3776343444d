"""Functions of every element by itself.  Two operands broadcast as in NumPy; one may be a number."""

from minimixer.backend import Array, array_module, to_device
from minimixer.ops import choice
from minimixer.ops import elementwise as ops
from minimixer.ops.relu import ReLU
from minimixer.tensor import Operand, Tensor, apply, operand


def relu(x: Tensor) -> Tensor:
    """``max(x, 0)``, element by element; the gradient at 0 is 0.  x: any shape."""
    return apply(ReLU, x)


def sigmoid(x: Tensor) -> Tensor:
    """``1 / (1 + e^-x)``, between 0 and 1.  x: any shape."""
    return x.sigmoid()


def softplus(x: Tensor) -> Tensor:
    """``log(1 + e^x)``, a smooth form of ReLU (Dugas et al. 2001), without overflow.  x: any shape."""
    return maximum(x, 0.0) + log1p((-x.abs()).exp())


def exp(x: Tensor) -> Tensor:
    """The number e to the power of every element."""
    return x.exp()


def log(x: Tensor) -> Tensor:
    """Natural logarithm."""
    return x.log()


def sqrt(x: Tensor) -> Tensor:
    """Square root."""
    return x.sqrt()


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return x.tanh()


def sin(x: Tensor) -> Tensor:
    """Sine; x in radians."""
    return apply(ops.Sin, x)


def cos(x: Tensor) -> Tensor:
    """Cosine; x in radians."""
    return apply(ops.Cos, x)


def sinh(x: Tensor) -> Tensor:
    """Hyperbolic sine."""
    return apply(ops.Sinh, x)


def cosh(x: Tensor) -> Tensor:
    """Hyperbolic cosine."""
    return apply(ops.Cosh, x)


def log1p(x: Tensor) -> Tensor:
    """``log(1 + x)``, exact for small x."""
    return apply(ops.Log1p, x)


def expm1(x: Tensor) -> Tensor:
    """``e^x - 1``, exact for small x."""
    return apply(ops.Expm1, x)


def abs(x: Tensor) -> Tensor:
    """Distance from 0; the gradient at 0 is 0."""
    return x.abs()


def sign(x: Tensor) -> Tensor:
    """-1, 0 or 1; its gradient is 0."""
    return apply(ops.Sign, x)


def maximum(a: Operand, b: Operand) -> Tensor:
    """The larger of two; equal ones share the gradient evenly."""
    return apply(choice.Maximum, *_two("maximum", a, b))


def minimum(a: Operand, b: Operand) -> Tensor:
    """The smaller of two; equal ones share the gradient evenly."""
    return apply(choice.Minimum, *_two("minimum", a, b))


def where(condition: Tensor | Array, a: Operand, b: Operand) -> Tensor:
    """``a`` where the condition holds, else ``b``; the gradient goes to the one that was taken.

    Parameters
    ----------
    condition : array or Tensor of booleans
        Such as ``x > 0``; it broadcasts with a and b, and gets no gradient.
    a, b : Tensor, array or number

    Raises
    ------
    TypeError
        If the condition is not of booleans, or neither a nor b is a Tensor or an array.
    """
    mask = condition if isinstance(condition, Tensor) else Tensor(condition)
    if mask.dtype != bool:
        raise TypeError(f"where: the condition is {mask.dtype}, expected booleans, as x > 0 makes them")
    a, b = _two("where", a, b)
    device = (a if isinstance(a, Tensor) else b).device     # type: ignore[union-attr]
    return apply(choice.Where, a, b, Tensor(to_device(mask.data, device)))


def clip(x: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
    """Every element moved into ``low..high``, numbers or None; the gradient is 0 where it was outside.

    Raises
    ------
    ValueError
        If both are None, or low is above high.
    """
    if (low is None and high is None) or (low is not None and high is not None and low > high):
        raise ValueError(f"clip: low is {low} and high {high}, expected numbers, the first not above the second; one "
                         "may be None")
    inside = (x.data >= low) if low is not None else (x.data == x.data)
    inside = inside & (x.data <= high) if high is not None else inside
    return where(inside, x, Tensor(array_module(x.data).clip(x.data, low, high)))


def _two(name: str, a: Operand, b: Operand) -> tuple["Tensor | float", "Tensor | float"]:
    a, b = operand(a), operand(b)
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        raise TypeError(f"{name}: {a!r} and {b!r} are numbers, expected a Tensor or an array among them")
    return a, b
