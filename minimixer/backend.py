"""Every difference between NumPy and CuPy that the rest of the library would meet.

A device is an array module: numpy for "cpu", cupy for "gpu".  Which one an op uses follows from the
data it is given, never from a global setting.  Only this file, kernels/cuda.py and
kernels/products.py import cupy.
"""

import functools
import importlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from minimixer.errors import MinimixerError

Array: TypeAlias = Any      # numpy.ndarray or cupy.ndarray: CuPy ships no types
Module: TypeAlias = Any     # numpy or cupy
Precision = Literal["float32", "tf32"]

STREAMS = "CUPY_CUDA_PER_THREAD_DEFAULT_STREAM"
INSTALL_CUPY = 'pip install "minimixer[gpu-cuda12]" (CUDA 12) or pip install "minimixer[gpu-cuda13]" (CUDA 13)'


class DeviceError(MinimixerError, RuntimeError):
    """A device is missing, or arrays of two devices met in one op."""


class CopyInGraphError(DeviceError):
    """An array was copied between devices by what was being recorded as a graph."""


@dataclass(frozen=True)
class Device:
    """Where arrays live: a name, the module that computes there, its array class, and how to copy in and out.

    ``record(function, arguments)`` makes a call of a function repeatable without Python, see ``kernels/graph.py``; None
    where that cannot be.
    """

    name: str
    xp: Module
    array_type: type
    to_device: Any          # numpy.ndarray -> array
    to_numpy: Any           # array -> numpy.ndarray
    erf: Callable[[Array], Array]
    synchronize: Callable[[], None] = lambda: None
    record: Callable[[Callable[..., Any], Sequence[Array]], Callable[..., Any]] | None = None


def _lazily(module: str, name: str) -> Callable[..., Any]:
    """A function of a module that is imported at the first call."""
    return lambda *arguments: getattr(importlib.import_module(module), name)(*arguments)


CPU = Device("cpu", np, np.ndarray, np.asarray, np.asarray, _lazily("scipy.special", "erf"))
_devices: dict[str, Device] = {}
_by_type: dict[type, Device] = {}
_by_module: dict[Module, Device] = {}
_by_types: dict[tuple[type, ...], Module] = {}
_precision: Precision = "float32"


def register(device: Device) -> None:
    """Make a device known by its name, its array class and its module."""
    _devices[device.name] = device
    _by_type[device.array_type] = device
    _by_module[device.xp] = device


register(CPU)


def gpu_problem() -> str | None:
    """None where a GPU can be used; otherwise one sentence that says what is missing and how to get it."""
    if "gpu" in _devices:
        return None
    try:
        cupy = importlib.import_module("cupy")
    except ImportError:
        return f"CuPy is not installed; {INSTALL_CUPY}"
    if os.environ.get(STREAMS, "0") not in ("", "0"):
        return f"{STREAMS} is set, and then threads do not wait for each other's arrays: unset it"
    try:
        count = cupy.cuda.runtime.getDeviceCount()
        if count:                   # CuPy alone, without CUDA's libraries, counts devices but multiplies nothing
            two = cupy.ones((2, 2), np.float32)
            (two @ two + 1).sum()
    except Exception as error:      # CuPy raises its own CUDARuntimeError, and others where the driver is absent
        return f"CuPy found no usable CUDA device ({error}); check the driver, then {INSTALL_CUPY}"
    if count == 0:
        return "CuPy is installed but this machine has no CUDA device"
    graph = importlib.import_module("minimixer.kernels.graph")
    for name in ("kernels.cuda", "kernels.products", "data.cuda"):          # they enter fast pairs
        importlib.import_module(f"minimixer.{name}")
    register(Device("gpu", cupy, cupy.ndarray, cupy.asarray, cupy.asnumpy, _lazily("cupyx.scipy.special", "erf"),
                    lambda: cupy.cuda.get_current_stream().synchronize(), functools.partial(graph.Graph, cupy)))
    return None


def get_device(name: str) -> Device:
    """The device called ``name``: "cpu" or "gpu".  Raises DeviceError if there is none."""
    if name == "gpu" and (problem := gpu_problem()):
        raise DeviceError(f"device 'gpu' cannot be used: {problem}")
    if name not in _devices:
        raise DeviceError(f"unknown device {name!r}: expected 'cpu' or 'gpu'")
    return _devices[name]


def choose_device(wanted: str) -> tuple[str, str]:
    """The device for a run, and one sentence that says which it is and why.

    Parameters
    ----------
    wanted : "auto", "cpu" or "gpu"
        "auto" takes the GPU where there is one.

    Raises
    ------
    DeviceError
        If "gpu" cannot be used, or for another word.
    """
    if wanted == "auto":
        problem = gpu_problem()
        return ("cpu", f"on the CPU: {problem.split(';')[0]}") if problem else ("gpu", f"on the GPU: {_gpu_name()}")
    if wanted not in ("cpu", "gpu"):
        raise DeviceError(f"unknown device {wanted!r}: expected 'auto', 'cpu' or 'gpu'")
    get_device(wanted)
    return wanted, "on the CPU, as asked" if wanted == "cpu" else f"on the GPU, as asked: {_gpu_name()}"


def _gpu_name() -> str:
    runtime = _devices["gpu"].xp.cuda.runtime
    return str(runtime.getDeviceProperties(runtime.getDevice())["name"].decode())


def matmul_precision() -> Precision:
    """What ``set_matmul_precision`` has set for GPUs; "float32" at first."""
    return _precision


def set_matmul_precision(precision: Precision, device: str) -> None:
    """How matrix products of float32 arrays are computed on a device, in this process, from now on.

    "tf32" rounds the factors to 10 bits behind the point and adds up in float32, on the tensor cores of NVIDIA GPUs;
    "float32", the default everywhere, does not.  (It affects Linear, and of CuPy's own products, where it
    is called compute type, those of two matrices.)

    Raises
    ------
    DeviceError
        If the device cannot do that.
    """
    if precision not in ("float32", "tf32"):
        raise DeviceError(f"unknown precision {precision!r}: expected 'float32' or 'tf32'")
    if get_device(device).name != "gpu":
        if precision == "tf32":
            raise DeviceError(f"precision 'tf32' needs an NVIDIA GPU, and this runs on {device!r}: choose 'float32', "
                              "or device 'gpu'")
        return
    cupy = get_device("gpu").xp
    if precision == "tf32" and int(cupy.cuda.Device().compute_capability) < 80:
        raise DeviceError(f"precision 'tf32' needs compute capability 8.0, and {_gpu_name()} has less: choose "
                          "'float32'")
    global _precision
    _precision = precision
    # CuPy documents only CUPY_TF32=1, which it reads once, at the first product.
    linalg = importlib.import_module("cupy._core._routines_linalg")
    linalg.set_compute_type(np.float32, linalg.COMPUTE_TYPE_TF32 if precision == "tf32"
                            else linalg.COMPUTE_TYPE_DEFAULT)


def as_array(data: Any) -> Array:
    """An array of a known device as it is; anything else as a NumPy array, float32 where it would be float64."""
    if _is_known(data):
        return data
    array = np.asarray(data)
    is_list = not isinstance(data, (np.generic, np.ndarray))
    return array.astype(np.float32) if array.dtype == np.float64 and is_list else array


def _is_known(data: Any) -> bool:
    """Whether it is an array of a device, if perhaps of a GPU that nobody has asked for yet."""
    if type(data) not in _by_type and type(data).__module__.startswith("cupy"):
        gpu_problem()                   # it registers the device
    return type(data) in _by_type


def device_of(array: Array) -> Device:
    """The device on which an array lives."""
    if not _is_known(array):
        if isinstance(array, np.ndarray):           # np.memmap and its kin
            return CPU
        known = [f"{d.array_type.__module__}.{d.array_type.__name__}" for d in _devices.values()]
        raise DeviceError(f"{type(array).__module__}.{type(array).__name__} is not an array of a known device: "
                          f"expected one of {', '.join(known)}")
    return _by_type[type(array)]


def array_module(*operands: Array | float) -> Module:
    """The one module that computes on these arrays; Python numbers go with every device.

    Raises DeviceError if the arrays live on two devices.
    """
    types = tuple(map(type, operands))
    if types not in _by_types:      # every op asks, and only few combinations occur
        _by_types[types] = _find_module(operands)
    return _by_types[types]


def _find_module(operands: tuple[Array | float, ...]) -> Module:
    devices = {device_of(x).name: device_of(x) for x in operands if not isinstance(x, (int, float))}
    if len(devices) > 1:
        one, other, *_ = devices
        raise DeviceError(f"operands live on two devices, {one!r} and {other!r}: move one of them with .to({one!r}) or "
                          f".to({other!r})")
    return next(iter(devices.values()), CPU).xp


class _Thread(threading.local):
    copies_nothing = False


_thread = _Thread()


def to_device(array: Array, name: str) -> Array:
    """Copy an array to a device; an array that is there already is returned as it is."""
    target, source = get_device(name), device_of(array)
    if source is target:
        return array
    if _thread.copies_nothing:
        raise CopyInGraphError(f"an array of shape {array.shape} is copied from {source.name!r} to {name!r}: what is "
                               "recorded as a graph cannot do that")
    return target.to_device(source.to_numpy(array))


@contextmanager
def no_copies() -> Iterator[None]:
    """Within this block, and in this thread only, ``to_device`` raises CopyInGraphError where it would copy."""
    previous, _thread.copies_nothing = _thread.copies_nothing, True
    try:
        yield
    finally:
        _thread.copies_nothing = previous


def to_numpy(array: Array) -> np.ndarray:
    """The array as a numpy.ndarray, copied from its device if it is not on the CPU."""
    return device_of(array).to_numpy(array)


def synchronize(name: str) -> None:
    """Wait until all work given to the device is done (needed before reading a clock on a GPU)."""
    get_device(name).synchronize()


def erf(xp: Module, x: Array) -> Array:
    """Error function; NumPy has none, so it comes from SciPy (or CuPy's part of it), imported at the first use."""
    return _by_module[xp].erf(x)
