import math
from typing import Any, TypeAlias

import numpy as np

from minimixer import autograd
from minimixer.autograd import Node, grad_enabled
from minimixer.backend import Array, array_module, as_array, to_device
from minimixer.ops import arithmetic, choice, elementwise, index, matmul, reduce, shape
from minimixer.ops.op import Op
from minimixer.ops.reduce import Axis
from minimixer.ops.registry import choose
from minimixer.protocols import Protocols, take_odd

Operand: TypeAlias = "Tensor | Array | float"


def apply(op: type[Op], *operands: "Tensor | float", **options: Any) -> "Tensor":
    """Run an op on Tensors (and Python numbers), and record a Node if a gradient is wanted.

    Parameters
    ----------
    op : Op
        Two pure array functions; the registry may run a faster form of it.
    *operands : Tensor or Python number
        Its array arguments.
    **options
        Its other arguments.

    Raises
    ------
    DeviceError
        If operands live on two devices.
    ValueError, IndexError
        If the shapes do not fit; the message names the op and the shapes.
    """
    arrays = [x._data if isinstance(x, Tensor) else x for x in operands]
    for name, value in options.items():
        if isinstance(value, np.generic):
            options[name] = value.item()
    xp = array_module(*arrays)
    run = choose(op, xp, getattr(arrays[0], "dtype", None))
    try:
        y, saved = run.forward(xp, *arrays, **options)
    except (ValueError, IndexError) as error:
        shapes = ", ".join(str(getattr(a, "shape", a)) for a in arrays)
        given = "".join(f", {name} = {value}" for name, value in options.items())
        raise type(error)(f"{op.__name__} of shape {shapes}{given}: {error}; expected {op.expects}") from error
    result = Tensor.__new__(Tensor)
    result._data = y = xp.asarray(y)        # NumPy's reductions to one element return scalars
    result.grad = result.node = None
    result._requires_grad = result.is_parameter = False
    result.changed = 0
    if grad_enabled():
        edges = []
        for x in operands:
            edge = (x.node or (x if x._requires_grad else None)) if isinstance(x, Tensor) else None
            edges.append(edge)
            if edge is not None:
                result._requires_grad = True
        if result._requires_grad:
            result.node = Node(op, run, xp, saved, edges, y)
    return result


class Tensor(Protocols):
    """An array, and where it came from: the Node of the op that made it, if a gradient is wanted.

    Parameters
    ----------
    data : array, nested list or number
        A NumPy or CuPy array is taken as it is, without a copy; anything else becomes a float32 NumPy array
        (integers stay integers).
    requires_grad : bool
        Whether ``backward`` leaves a gradient in ``.grad``, a plain array of the same shape and dtype.

    Raises
    ------
    TypeError
        If a gradient is wanted for numbers that are not floating point.
    """

    __slots__ = ()

    def __init__(self, data: Operand, requires_grad: bool = False):
        if type(data) is not np.ndarray:
            if isinstance(data, Tensor):
                raise TypeError("data is a Tensor already: use it as it is, or .detach() for one without history")
            data = as_array(data)
        dtype = data.dtype
        if dtype.kind != "f" or dtype.itemsize == 2 or not dtype.isnative:
            data = take_odd(data, requires_grad)
        self._data = data
        self.grad = self.node = None
        self.changed = 0
        self._requires_grad = requires_grad
        self.is_parameter = requires_grad       # and stays one when it is frozen

    # Where it goes
    def detach(self) -> "Tensor":
        """The same data (shared) without history: gradients stop here."""
        return Tensor(self.data)

    def to(self, device: str) -> "Tensor":
        """A copy on ``"cpu"`` or ``"gpu"`` without history, itself if it is there.  Raises DeviceError."""
        data = to_device(self.data, device)
        return self if data is self.data else Tensor(data, self.requires_grad and self.node is None)

    def backward(self, gradient: Array | None = None) -> None:
        """Add the gradient of this Tensor into ``.grad`` of every leaf it was made from.

        Parameters
        ----------
        gradient : array, optional
            Where to start from, of this Tensor's shape and dtype; a one-element Tensor starts from 1.

        Raises
        ------
        RuntimeError
            If nothing requires a gradient, or the graph was already walked and freed.
        ValueError
            If there are several elements and no gradient, or its shape or dtype is another.
        """
        autograd.backward(self, gradient)

    # Arithmetic
    def __add__(self, other: Operand) -> "Tensor":
        return apply(arithmetic.Add, self, operand(other))

    __radd__ = __add__

    def __sub__(self, other: Operand) -> "Tensor":
        return apply(arithmetic.Subtract, self, operand(other))

    def __rsub__(self, other: Operand) -> "Tensor":
        return apply(arithmetic.Subtract, operand(other), self)

    def __mul__(self, other: Operand) -> "Tensor":
        return apply(arithmetic.Multiply, self, operand(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> "Tensor":
        return apply(arithmetic.Divide, self, operand(other))

    def __rtruediv__(self, other: Operand) -> "Tensor":
        return apply(arithmetic.Divide, operand(other), self)

    def __neg__(self) -> "Tensor":
        return apply(arithmetic.Negative, self)

    def __pow__(self, exponent: Operand) -> "Tensor":
        n = operand(exponent)
        if isinstance(n, Tensor):
            return apply(arithmetic.PowerOf, self, n)
        return apply(arithmetic.Power, self, n=n)

    def __rpow__(self, base: Operand) -> "Tensor":
        return apply(arithmetic.PowerOf, operand(base), self)

    def __matmul__(self, other: "Tensor | Array") -> "Tensor":
        return apply(matmul.MatMul, self, operand(other))

    def __rmatmul__(self, other: "Tensor | Array") -> "Tensor":
        return apply(matmul.MatMul, operand(other), self)

    def abs(self) -> "Tensor":
        """Distance of every element from 0; the gradient at 0 is 0."""
        return apply(elementwise.Abs, self)

    __abs__ = abs

    def exp(self) -> "Tensor":
        """The number e to the power of every element."""
        return apply(arithmetic.Exp, self)

    def log(self) -> "Tensor":
        """Natural logarithm of every element."""
        return apply(arithmetic.Log, self)

    def sqrt(self) -> "Tensor":
        """Square root of every element."""
        return apply(arithmetic.Sqrt, self)

    def tanh(self) -> "Tensor":
        """Hyperbolic tangent of every element."""
        return apply(arithmetic.Tanh, self)

    def sigmoid(self) -> "Tensor":
        """1 / (1 + e^-x) of every element."""
        return apply(elementwise.Sigmoid, self)

    # Shape
    def reshape(self, *shape_: Any) -> "Tensor":
        """The same elements in another shape, ``x.reshape(2, -1)`` or ``x.reshape((2, -1))``."""
        return apply(shape.Reshape, self, shape=shape.unpack(shape_))

    def swapaxes(self, axis1: int, axis2: int) -> "Tensor":
        """Two axes change places; no number moves in memory."""
        return apply(shape.SwapAxes, self, axis1=axis1, axis2=axis2)

    def transpose(self, *axes: Any) -> "Tensor":
        """Axis i of the result is axis ``axes[i]`` of this Tensor; without axes their order is reversed."""
        return apply(shape.Transpose, self, axes=shape.unpack(axes) or tuple(range(self.ndim))[::-1])

    @property
    def T(self) -> "Tensor":
        """The axes in reverse order; of a matrix, rows become columns."""
        return self.transpose()

    def flatten(self) -> "Tensor":
        """All elements in one axis, in reading order."""
        return self.reshape(self.size)

    def squeeze(self, axis: Axis = None) -> "Tensor":
        """Without the axes of length 1, or without the given ones.  Raises ValueError if one is longer."""
        axes = [i for i, n in enumerate(self.shape) if n == 1] if axis is None else reduce.normalize(axis, self.ndim)
        if any(self.shape[i] != 1 for i in axes):
            raise ValueError(f"squeeze: axis {axis} of shape {self.shape} is longer than 1, and cannot be taken away")
        return self.reshape(tuple(n for i, n in enumerate(self.shape) if i not in axes))

    def __getitem__(self, key: Any) -> "Tensor":
        """Elements by ints, slices, None and ``...``; by arrays or lists of ints, whose gradients add up; by masks."""
        parts = key if isinstance(key, tuple) else (key,)
        if shape.is_basic(parts) or not any(isinstance(part, (Tensor, list, np.bool_)) or getattr(part, "ndim", 0)
                                            for part in parts):
            return apply(shape.Slice, self, key=key)
        return apply(index.Take, self, key=tuple(self._index(part) for part in parts))

    # Reductions
    def sum(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Sum over one axis, several, or all."""
        return apply(reduce.Sum, self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Mean over one axis, several, or all."""
        return apply(reduce.Mean, self, axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Largest element over one axis, several, or all."""
        return apply(reduce.Max, self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Smallest element over one axis, several, or all."""
        return -(-self).max(axis, keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> "Tensor":
        """Variance over one axis, several, or all: the sum of squares over n - ddof, n elements each (as NumPy)."""
        centered = self - self.mean(axis, keepdims=True)
        count = math.prod(self.shape[i] for i in reduce.normalize(axis, self.ndim))
        return (centered * centered).sum(axis, keepdims) / float(count - ddof)

    def std(self, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> "Tensor":
        """Square root of ``var``; its gradient is taken to be 0 where all elements are equal, a kink."""
        var = self.var(axis, keepdims, ddof)
        flat = Tensor(var.data == 0)
        return apply(choice.Where, 0.0, apply(choice.Where, 1.0, var, flat).sqrt(), flat)

    def cumsum(self, axis: int) -> "Tensor":
        """Sums of the elements so far, along an axis."""
        return apply(reduce.CumSum, self, axis=axis)


def operand(x: Operand) -> "Tensor | float":
    """What apply takes: Tensors as they are, numbers as Python numbers (rule 7), arrays and lists as Tensors."""
    kind = type(x)
    if kind is Tensor or kind is float or kind is int:
        return x
    if kind is np.ndarray:
        return Tensor(x)
    if isinstance(x, (Tensor, int, float)) and not isinstance(x, np.generic):
        return x
    if x is None or isinstance(x, str):
        raise TypeError(f"an operand is {x!r}, expected a Tensor, an array or a number: is a variable empty?")
    return x.item() if isinstance(x, np.generic) else Tensor(x)
