from typing import Any, NoReturn, TypeAlias

import numpy as np

from minimixer import autograd
from minimixer.autograd import Node, edge_to, grad_enabled
from minimixer.backend import Array, array_module, as_array, device_of, to_device, to_numpy
from minimixer.ops import arithmetic, matmul, reduce, shape
from minimixer.ops.op import Op
from minimixer.ops.reduce import Axis
from minimixer.ops.registry import choose

Operand: TypeAlias = "Tensor | Array | float"
NUMBERS = int, float, complex, list, tuple


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
    arrays = [x.data if isinstance(x, Tensor) else x for x in operands]
    options = {name: value.item() if isinstance(value, np.generic) else value for name, value in options.items()}
    xp = array_module(*arrays)
    run = choose(op, xp, getattr(arrays[0], "dtype", None))
    try:
        y, saved = run.forward(xp, *arrays, **options)
    except (ValueError, IndexError) as error:
        shapes = ", ".join(str(getattr(a, "shape", a)) for a in arrays)
        given = "".join(f", {name} = {value}" for name, value in options.items())
        raise type(error)(f"{op.__name__} of shape {shapes}{given}: {error}; expected {op.expects}") from error
    result = Tensor.__new__(Tensor)
    result.data = xp.asarray(y)         # NumPy's reductions to one element return scalars
    result.grad = result.node = None
    result.requires_grad = result.is_parameter = False
    if grad_enabled():
        edges = [edge_to(x) if isinstance(x, Tensor) else None for x in operands]
        if edges.count(None) < len(edges):
            result.node = Node(op, run, xp, saved, edges, result.data)
            result.requires_grad = True
    return result


class Tensor:
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

    __slots__ = ("__weakref__", "data", "grad", "is_parameter", "node", "requires_grad")
    __array_ufunc__ = None              # array + tensor asks Tensor.__radd__
    __array_priority__ = 1000
    data: Array
    grad: Array | None
    node: Node | None
    requires_grad: bool
    is_parameter: bool

    def __init__(self, data: Operand, requires_grad: bool = False):
        if isinstance(data, Tensor):
            raise TypeError("data is a Tensor already: use it as it is, or .detach() for one without history")
        data = as_array(data)
        if data.dtype.kind not in "fiub":
            raise TypeError(f"a Tensor holds numbers, not {data.dtype}: convert the array first")
        if requires_grad and data.dtype.kind != "f":
            raise TypeError(f"a gradient needs floating-point data, not {data.dtype}: use .astype('float32')")
        self.data = data
        self.grad = self.node = None
        self.requires_grad = requires_grad
        self.is_parameter = requires_grad       # and stays one when it is frozen

    # What it is
    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.data.size

    @property
    def dtype(self) -> Any:
        """Type of an element."""
        return self.data.dtype

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"gpu"``: where the data lives."""
        return device_of(self.data).name

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        made_by = f", made by {self.node.op.__name__}" if self.node else ""
        leaf = ", requires_grad=True" if self.requires_grad and not self.node else ""
        return f"Tensor({self.data!r}{leaf}{made_by})"

    def item(self) -> float:
        """The one element as a Python number.  Raises ValueError if there are several."""
        if self.size != 1:
            raise ValueError(f"item() needs a one-element Tensor, this one has shape {self.shape}: index or reduce it")
        return self.data.item()

    def __float__(self) -> float:
        return float(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def numpy(self) -> np.ndarray:
        """The data as a numpy.ndarray, without history; shares memory on the CPU, is copied from a GPU."""
        return to_numpy(self.data)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("NumPy was handed a Tensor, and would lose its history: use minimixer's own operators and "
                        "functions, or .data for the bare array")

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

    def __pow__(self, exponent: float) -> "Tensor":
        n = operand(exponent)
        if isinstance(n, Tensor):
            raise TypeError("the exponent of ** is a Python number; for Tensors x ** y is (y * x.log()).exp()")
        return apply(arithmetic.Power, self, n=n)

    def __matmul__(self, other: "Tensor | Array") -> "Tensor":
        return apply(matmul.MatMul, self, operand(other))

    def __rmatmul__(self, other: "Tensor | Array") -> "Tensor":
        return apply(matmul.MatMul, operand(other), self)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same Tensor, as sets and dicts ask.  Raises TypeError for arrays and numbers."""
        if not isinstance(other, (Tensor, Node)) and (isinstance(other, NUMBERS) or hasattr(other, "dtype")):
            raise TypeError("== between a Tensor and numbers: compare the bare array, x.data == y")
        return self is other

    __hash__ = object.__hash__

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError("Tensors are not changed in place, backward may still need the old numbers: "
                        "write x = x + y instead of x += y or x[i] = y; a leaf's array is x.data")

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __imatmul__ = __setitem__ = _refuse

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

    def __getitem__(self, key: Any) -> "Tensor":
        return apply(shape.Slice, self, key=key)

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


def operand(x: Operand) -> "Tensor | float":
    """What apply takes: Tensors as they are, numbers as Python numbers (rule 7), arrays and lists as Tensors."""
    if isinstance(x, (Tensor, int, float)) and not isinstance(x, np.generic):
        return x
    return x.item() if isinstance(x, np.generic) else Tensor(x)
