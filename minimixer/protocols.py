"""What Python and NumPy ask of a Tensor besides its operators: numbers, formats, comparisons, rows, copies."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any, NoReturn

import numpy as np

from minimixer import autograd
from minimixer.advice import ELSEWHERE, Elsewhere, instead_of
from minimixer.autograd import Node
from minimixer.backend import Array, array_module, device_of, to_device, to_numpy

# What array + tensor becomes, and array < tensor
OPERATORS = {np.add: "__radd__", np.subtract: "__rsub__", np.multiply: "__rmul__", np.divide: "__rtruediv__",
             np.power: "__rpow__", np.matmul: "__rmatmul__", np.equal: "__eq__", np.not_equal: "__ne__",
             np.less: "__gt__", np.less_equal: "__ge__", np.greater: "__lt__", np.greater_equal: "__le__"}


class _Ufuncs(property):
    """``__array_ufunc__``: array + tensor is an operator of the Tensor, any other ufunc a sentence.

    NumPy asks the class, and calls what it gets, the property itself.  CuPy asks the instance, and hands its operators
    over if it gets None.
    """

    def __call__(self, tensor: Any, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        name = OPERATORS.get(ufunc)
        if name and inputs[-1] is tensor and method == "__call__" and not options:
            return getattr(tensor, name)(inputs[0])
        if "out" in options:
            raise TypeError("a Tensor cannot be written into an array: write array = array + x, or use x.data")
        raise TypeError(instead_of(ufunc.__name__))


class Protocols:
    """What a Tensor holds, and what needs no op: no gradient flows through anything here.

    The engine reads the slots ``_data`` and ``_requires_grad``; the properties without the underline guard them.
    """

    __slots__ = ("__weakref__", "_data", "_requires_grad", "changed", "grad", "is_parameter", "node")
    __array_ufunc__ = _Ufuncs(lambda self: None)
    __array_priority__ = 1000
    _data: Array
    _requires_grad: bool
    grad: Array | None
    node: Node | None
    is_parameter: bool
    changed: int                # when its numbers were last overwritten, on autograd's clock

    def _set_data(self, data: Array) -> None:
        if data is self._data:                              # x.data += 1, which graphs have to know
            autograd.mark_changed([self])
        self._data = data

    def _set_requires_grad(self, wanted: bool) -> None:
        if self.node is not None:
            raise RuntimeError("requires_grad of a result cannot be set, it follows from what the result was made of: "
                               "use .detach() to stop gradients, or set it on the leaf")
        if wanted and self.dtype.kind != "f":
            raise TypeError(f"a gradient needs floating-point data, not {self.dtype}: use .astype('float32') on the "
                            "array")
        self._requires_grad = wanted

    data = property(attrgetter("_data"), _set_data, doc="The bare array; assign another one to replace it.")
    requires_grad = property(attrgetter("_requires_grad"), _set_requires_grad,
                             doc="Whether a gradient is wanted; may be set where no op has made the Tensor.")

    # What it is
    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._data.size

    @property
    def dtype(self) -> Any:
        """Type of an element."""
        return self._data.dtype

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"gpu"``: where the data lives."""
        return device_of(self._data).name

    def _index(self, part: Any) -> Any:
        """A part of a key as ops take it: arrays become copies on this Tensor's device."""
        if isinstance(part, Protocols):
            part = part._data
        elif isinstance(part, list):
            part = np.asarray(part, None if part else int)
        return to_device(part.copy(), self.device) if getattr(part, "ndim", 0) else part

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("a Tensor of shape () has no rows to iterate over: .item() is its number")
        return (self[i] for i in range(len(self)))          # type: ignore[index]

    def __repr__(self) -> str:
        made_by = f", made by {self.node.op.__name__}" if self.node else ""
        leaf = ", requires_grad=True" if self.requires_grad and not self.node else ""
        return f"Tensor({self.data!r}{leaf}{made_by})"

    # As a number
    def item(self) -> float:
        """The one element as a Python number.  Raises ValueError if there are several."""
        if self.size != 1:
            raise ValueError(f"item() needs a one-element Tensor, this one has shape {self.shape}: index or reduce it")
        return self.data.item()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __round__(self, digits: int | None = None) -> float:
        return round(self.item(), digits)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    # Comparisons: plain arrays of booleans
    def _compare(self, other: Any, name: str) -> Any:
        other = other.data if isinstance(other, Protocols) else other
        if not isinstance(other, (int, float, complex, list, tuple, np.generic)) and not hasattr(other, "dtype"):
            return NotImplemented                           # None, strings, Nodes: == is identity, < an error
        if hasattr(other, "shape") and not isinstance(other, np.generic):
            array_module(self.data, other)                  # one device, or a sentence
        elif isinstance(other, (list, tuple)):
            other = to_device(np.asarray(other), self.device)
        return getattr(self.data, name)(other)

    def __eq__(self, other: object) -> Any:
        return self._compare(other, "__eq__")

    def __ne__(self, other: object) -> Any:
        return self._compare(other, "__ne__")

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, "__lt__")

    def __le__(self, other: Any) -> Any:
        return self._compare(other, "__le__")

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, "__gt__")

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, "__ge__")

    __hash__ = object.__hash__          # of one Tensor alone, so sets and dicts never come to ask ==

    def argmax(self, axis: int | None = None) -> Any:
        """Where the largest element is: a plain array of ints, along an axis or in the flat Tensor."""
        return self._data.argmax(axis)

    def argmin(self, axis: int | None = None) -> Any:
        """Where the smallest element is: a plain array of ints, along an axis or in the flat Tensor."""
        return self._data.argmin(axis)

    # In place
    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError("Tensors are not changed in place, backward may still need the old numbers: "
                        "write x = x + y instead of x += y or x[i] = y; a leaf's array is x.data")

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __imatmul__ = __setitem__ = _refuse

    # For NumPy
    def numpy(self) -> np.ndarray:
        """The data as a numpy.ndarray, without history; shares memory on the CPU, is copied from a GPU."""
        return to_numpy(self.data)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("NumPy was handed a Tensor, and would lose its history: use minimixer's own operators and "
                        "functions, or .data for the bare array")

    def __array_function__(self, function: Any, *_: Any) -> NoReturn:
        raise TypeError(instead_of(function.__name__))

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not isinstance(vars(Protocols).get(name), Elsewhere)
                or any(name in vars(kind) for kind in type(self).__mro__[:-2])]

    # Copies: a result is copied without its history
    def __reduce__(self) -> tuple[Any, ...]:
        leaf = self.requires_grad and self.node is None
        return _restore, (type(self), self.data, leaf, self.is_parameter, self.grad)


for _name in ELSEWHERE:
    setattr(Protocols, _name, Elsewhere(_name))


def take_odd(data: Array, requires_grad: bool) -> Array:
    """Data of a Tensor that are no float32 or float64 of this machine: as they are, converted, or refused."""
    dtype = data.dtype
    if dtype.kind not in "fiub":
        raise TypeError(f"a Tensor holds numbers, not {dtype}: convert the array first")
    if dtype.kind == "f" and dtype.itemsize == 2:
        raise TypeError("a Tensor computes in float32 or float64, not in float16, whose sums overflow at 65504: "
                        "use .astype('float32') on the array")
    if requires_grad and dtype.kind != "f":
        raise TypeError(f"a gradient needs floating-point data, not {dtype}: use .astype('float32')")
    # As files of another machine hold them
    return data if dtype.isnative else data.astype(dtype.newbyteorder("="))


def _restore(kind: Any, data: Array, requires_grad: bool, is_parameter: bool, grad: Array | None) -> Any:
    tensor = kind(data, requires_grad)
    tensor.is_parameter, tensor.grad = is_parameter, grad
    return tensor
