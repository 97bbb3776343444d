"""A device for machines without a GPU: NumPy arrays behind a wrapper that refuses what CuPy refuses.

``import tests.support.standin`` makes it known to minimixer as the device "standin".  What it holds code to:

- No implicit copy to the host: ``np.asarray(x)`` raises, as do all functions of NumPy.  (CuPy would hand ``np.exp(x)``
  over to ``cupy.exp``; here it is an error, since an op must use the ``xp`` that it was given.)
- No mixed operands: NumPy arrays are refused in operators, functions, indices and assignments; numbers are not.
- ``xp`` has only what NumPy and CuPy 14 both have under one name, arrays only the methods of ``cupy.ndarray``.
- Reductions and single elements are arrays of no axes, never NumPy's scalars.  Dtypes follow NEP 50, as in CuPy 14.
- What would make the host wait for a GPU (``float(x)``, ``.item()``, a boolean mask, ...) is noted: see ``watch``.
- A function can be recorded, as CUDA graphs are: what it computed is computed again, on and into the same memory.  It
  may neither wait, nor copy from the host, nor multiply matrices by the module's own functions.

Left out: layouts of results, ``xp.linalg``, ``xp.fft`` and ``xp.random``, keywords that CuPy lacks, and speed.
"""

import functools
import types
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import scipy.special

from minimixer import backend
from minimixer.gpu.graph import Graph
from tests.support.cupy_names import FUNCTIONS, METHODS

_waits: list[str] = []
_of_memory: "weakref.WeakValueDictionary[int, DeviceArray]" = weakref.WeakValueDictionary()
_tape = None        # the Calls of what is being recorded


@dataclass
class Call:
    """One thing that the device was told to do: how to do it again, where the result went, what it read."""

    name: str
    compute: Callable[[], object]
    result: object
    operands: tuple


@contextmanager
def watch() -> Iterator[list[str]]:
    """The calls within this block for which the host would have waited, in a list."""
    before = len(_waits)
    seen: list[str] = []
    try:
        yield seen
    finally:
        seen += _waits[before:]


def _wait(name):
    _waits.append(name)
    assert _tape is None, f"the host waits, for {name}, in what is recorded as a graph"


def _refuse_products():
    if _tape is not None:
        raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")


def run(name, compute, *operands):
    """The result of ``compute()``, wrapped, and computed again whenever a graph that records this is called."""
    result = wrap(compute())
    if _tape is not None:
        _tape.append(Call(name, compute, result, operands))
    return result


def _into(result, again):
    """Put what was computed again where it lay the first time, unless it is a view of what lies there anyway."""
    if isinstance(result, DeviceArray):
        again = np.asarray(again)
        assert again.shape == result.shape
        if not np.may_share_memory(again, result._host):
            result._host[...] = again
    elif isinstance(result, (list, tuple)):
        for part, other in zip(result, again, strict=True):
            _into(part, other)


class Stream:
    """As much of cupy.cuda.Stream as is asked for.  What is recorded is a tape, which can be played again."""

    ptr = 0

    def __init__(self, non_blocking=False):
        assert non_blocking

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def synchronize(self):
        pass

    def begin_capture(self):
        global _tape
        _tape = []

    def end_capture(self):
        global _tape
        assert _tape is not None, "nothing is being recorded"
        tape, _tape = Tape(_tape), None
        return tape


class Tape:
    """Takes the place of cupy.cuda.Graph; ``launches`` counts those of all of them."""

    launches = 0

    def __init__(self, calls):
        self.calls = calls

    def launch(self):
        Tape.launches += 1
        for call in self.calls:
            _into(call.result, call.compute())


def unwrap(thing):
    """What NumPy computes with: the memory of device arrays; anything else that holds an array is refused."""
    if isinstance(thing, DeviceArray):
        return thing._host
    if isinstance(thing, np.ndarray):
        raise TypeError(f"Unsupported type {np.ndarray}: a NumPy array of shape {thing.shape} met a device array")
    if isinstance(thing, (list, tuple)):
        return type(thing)(unwrap(item) for item in thing)
    return thing


def wrap(result):
    if isinstance(result, (np.ndarray, np.generic)):
        return DeviceArray(np.asarray(result))
    if isinstance(result, (list, tuple)):
        return type(result)(wrap(item) for item in result)
    return result


class DeviceArray:
    __slots__ = ("__weakref__", "_base", "_host")
    __array_ufunc__ = None              # NumPy's operators and ufuncs refuse it
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, host: np.ndarray):
        self._host = host
        self._base = None
        _of_memory[id(host)] = self

    @property
    def base(self):
        """The device array whose memory this one is a view of: the same object every time."""
        if self._host.base is not None and self._base is None:
            self._base = _of_memory.get(id(self._host.base)) or DeviceArray(self._host.base)
        return self._base

    def __array__(self, *_, **__):
        raise TypeError("Implicit conversion to a NumPy array is not allowed: use backend.to_numpy")

    def __array_function__(self, function, *_):
        raise TypeError(f"np.{function.__name__} was called with a device array: use the function of xp")

    def __getattr__(self, name):
        if name not in METHODS:
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}")
        method = getattr(self._host, name)

        def call(*arguments, **options):
            if name in ("item", "tolist", "tobytes", "nonzero", "compress"):
                _wait(f".{name}()")
                return method(*arguments, **options)
            hosts, options = unwrap(arguments), {key: unwrap(value) for key, value in options.items()}
            return run(name, lambda: method(*hosts, **options), self._host, hosts)

        return call

    def get(self):
        _wait(".get()")
        return self._host.copy(order="K")

    @property
    def flags(self):
        flags = self._host.flags        # CuPy's know no `writeable`
        return types.SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous,
                                     owndata=flags.owndata)

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self._host.ctypes.data)

    def __len__(self):
        return len(self._host)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def _key(self, key):
        parts = key if isinstance(key, tuple) else (key,)
        if any(isinstance(part, DeviceArray) and part.dtype == bool for part in parts):
            _wait("a boolean mask")                     # the host must know how many were chosen
        parts = unwrap(parts)
        return parts if any(part is Ellipsis for part in parts) else (*parts, ...)      # 0-d arrays, no scalars

    def __getitem__(self, key):
        key = self._key(key)
        return run("getitem", lambda: self._host[key], self._host, key)

    def __setitem__(self, key, value):
        key, value = self._key(key), unwrap(value)
        run("setitem", lambda: self._host.__setitem__(key, value), self._host, value)


def _operator(name, in_place=False):
    def method(self, *others):
        if any(not isinstance(x, DeviceArray) and getattr(x, "__array_ufunc__", 0) is None for x in others):
            return NotImplemented                       # a Tensor knows what to do
        hosts = unwrap(others)
        if "matmul" in name:
            _refuse_products()
        if not in_place:
            return run(name, lambda: getattr(self._host, name)(*hosts), self._host, hosts)
        result = run(name, lambda: None if getattr(self._host, name)(*hosts) is self._host else NotImplemented,
                     self._host, self._host, hosts)
        return self if result is None else result
    return method


def _waiting(name):
    def method(self, *arguments):
        _wait(name)
        return getattr(self._host, name)(*arguments)
    return method


BINARY = ["add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow", "matmul", "and", "or", "xor", "lshift",
          "rshift"]
for _name in ("i" + b for b in BINARY if b not in ("divmod", "matmul")):
    setattr(DeviceArray, f"__{_name}__", _operator(f"__{_name}__", in_place=True))
for _name in [*BINARY, *("r" + b for b in BINARY), "neg", "pos", "abs", "invert", "eq", "ne", "lt", "le", "gt", "ge"]:
    setattr(DeviceArray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("bool", "float", "int", "complex", "repr", "str", "format"):
    setattr(DeviceArray, f"__{_name}__", _waiting(f"__{_name}__"))
for _name in ("shape", "dtype", "ndim", "size", "nbytes", "itemsize", "strides"):
    setattr(DeviceArray, _name, property(lambda self, name=_name: getattr(self._host, name)))
for _name in ("T", "mT", "real", "imag"):
    setattr(DeviceArray, _name, property(lambda self, name=_name: wrap(getattr(self._host, name))))

FROM_HOST = ("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray")     # an explicit copy
NO_LISTS = ("sum", "prod", "mean", "std", "var", "max", "min", "amax", "amin", "any", "all", "argmax", "argmin")
PRODUCTS = ("matmul", "dot", "vdot", "inner", "outer", "tensordot", "einsum")
ANSWERS = ("allclose", "array_equal", "array_equiv")                    # a bool in NumPy, an array in CuPy


class _Xp(types.ModuleType):
    """The array module of the device."""

    def __getattr__(self, name):
        if name not in FUNCTIONS:
            raise AttributeError(f"module 'cupy' has no attribute {name!r}")
        thing = getattr(np, name)
        value = thing if isinstance(thing, type) or not callable(thing) else self._function(name, thing)
        setattr(self, name, value)
        return value

    @staticmethod
    def _function(name, function):
        def call(*arguments, **options):
            if name in FROM_HOST and isinstance(arguments[0], np.ndarray):
                assert _tape is None, "an array comes from the host into what is recorded as a graph"
                return DeviceArray(function(arguments[0], *arguments[1:], **options).copy(order="K"))
            if (name in NO_LISTS or isinstance(function, np.ufunc)) and isinstance(arguments[0], (list, tuple)):
                raise TypeError(f"Unsupported type {type(arguments[0])}: xp.{name} takes arrays")
            if name in ("nonzero", "flatnonzero", "argwhere", "unique"):
                _wait(f"xp.{name}")
            if name in PRODUCTS:
                _refuse_products()
            hosts, options = unwrap(arguments), {key: unwrap(value) for key, value in options.items()}
            return run(name, lambda: np.asarray(function(*hosts, **options)) if name in ANSWERS else
                       function(*hosts, **options), hosts)

        def at(array, key, values):
            key, values = array._key(key), unwrap(values)
            run(f"{name}.at", lambda: function.at(unwrap(array), key, values), unwrap(array), values)

        if isinstance(function, np.ufunc):
            call.at = at
        return call


xp = _Xp("standin")
xp.ndarray = DeviceArray
NULL = Stream(non_blocking=True)
xp.cuda = types.SimpleNamespace(
    MemoryPool=lambda allocator=None: types.SimpleNamespace(
        malloc=None, total_bytes=lambda: 0, free_all_blocks=lambda: None),
    Stream=Stream, using_allocator=nullcontext, get_current_stream=lambda: NULL,
    device=types.SimpleNamespace(get_cublas_handle=lambda: "handle"))
xp.get_default_memory_pool = xp.cuda.MemoryPool
DEVICE = backend.Device("standin", xp, DeviceArray, lambda array: DeviceArray(array.copy(order="K")), DeviceArray.get,
                        lambda x: run("erf", lambda: scipy.special.erf(unwrap(x)), unwrap(x)),
                        record=functools.partial(Graph, xp))
backend.register(DEVICE)
