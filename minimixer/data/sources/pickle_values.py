"""What a pickle of arrays may ask for by name, and what it gets instead of a call: see ``safe_pickle``.

The rules of pickled arrays are those of ``numpy.ndarray.__reduce__`` and ``numpy.ndarray.__setstate__``.
"""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

MOST_AXES = 32
DTYPE = re.compile(r"([|<>=]?)([buif][1248])")
LATIN = ("latin1", "latin-1", b"latin1")
FORTRAN = ("F", b"F")


class PickleRefusedError(ValueError):
    """A pickle holds more than data, is damaged, or would take too much memory."""


class Name:
    """A function or class of the table; it can be neither called nor looked into."""

    def __init__(self, kind: str):
        self.kind = kind


class Dtype:
    """A dtype that may still get its byte order."""

    def __init__(self, kind: str, order: str):
        self.kind = kind
        self.order = order


class Unfilled:
    """An array that may still get its contents."""

    value: np.ndarray | None = None


_CORES = "numpy.core", "numpy._core"
NAMES = {
    **{(f"{core}.multiarray", "_reconstruct"): "unfilled" for core in _CORES},
    **{(f"{core}.multiarray", "scalar"): "scalar" for core in _CORES},
    **{(f"{core}.numeric", "_frombuffer"): "array" for core in _CORES},
    ("numpy", "ndarray"): "ndarray", ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "bytes",                     # bytes, as Python 3 writes them in protocol 2
    **{(module, name): "bytes" for module in ("builtins", "__builtin__") for name in ("bytes", "bytearray")},
}


def fill(target: Any, state: Any) -> None:
    """Give an array or dtype its contents, as ``__setstate__`` would.  Raises PickleRefusedError."""
    if type(target) is Dtype and type(state) is tuple and len(state) > 1:
        target.order = _order(state[1])
    elif type(target) is Unfilled and type(state) is tuple and len(state) == 5:
        target.value = array(state[4], state[2], state[1], "F" if state[3] is True else "C")
    else:
        raise PickleRefusedError("it changes what is neither an array nor a dtype: nothing was run")


def array(content: Any, dtype: Any, shape: Any, order: Any = "C") -> np.ndarray:
    """The array of some bytes.  Raises PickleRefusedError unless it has exactly as many."""
    if type(dtype) is not Dtype or type(shape) is not tuple or len(shape) > MOST_AXES or not all(
            type(n) is int and n >= 0 for n in shape):
        raise PickleRefusedError("an array has no usable dtype or shape")
    kind = np.dtype(dtype.order + dtype.kind)
    if type(content) is not bytes or math.prod(shape) * kind.itemsize != len(content):
        raise PickleRefusedError("an array does not have as many bytes as its shape needs")
    axes: tuple[int, ...] = shape
    flat = np.frombuffer(content, kind)
    return flat.reshape(axes[::-1]).T if order in FORTRAN else flat.reshape(axes)


def _order(given: Any) -> str:
    order = given.decode("latin1") if type(given) is bytes and len(given) == 1 else given
    if order not in ("<", ">", "=", "|", ""):
        raise PickleRefusedError("a dtype has no usable byte order")
    return "=" if order in ("|", "") else str(order)


def _dtype(name: Any, *_: Any) -> Dtype:
    name = name.decode("latin1") if type(name) is bytes and len(name) < 4 else name
    found = DTYPE.fullmatch(name) if type(name) is str and len(name) < 4 else None
    if found is None:
        raise PickleRefusedError("an array is not of numbers")
    return Dtype(found[2], _order(found[1]))


def _bytes(text: Any = b"", encoding: Any = "latin1") -> bytes:
    if type(text) is bytes:
        return text
    if type(text) is not str or encoding not in LATIN:
        raise PickleRefusedError("bytes are written in an unusual way")
    return text.encode("latin1")


def _array(*arguments: Any) -> Unfilled:
    made = Unfilled()
    made.value = array(*arguments)
    return made


CALLS: dict[str, Callable[..., Any]] = {
    "unfilled": lambda *_: Unfilled(), "dtype": _dtype, "bytes": _bytes, "array": _array,
    "scalar": lambda dtype, content: array(content, dtype, ()).item(),
}
