"""Every difference between NumPy and CuPy that the rest of the library would meet.

A device is an array module: numpy for "cpu", cupy for "gpu".  Which one an op uses follows from the
data it is given, never from a global setting.  Only this file and kernels/cuda.py import cupy.
"""

import importlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from minimixer.errors import MinimixerError

Array: TypeAlias = Any      # numpy.ndarray or cupy.ndarray: CuPy ships no types
Module: TypeAlias = Any     # numpy or cupy

INSTALL_CUPY = 'pip install "minimixer[gpu-cuda12]" (CUDA 12) or pip install "minimixer[gpu-cuda13]" (CUDA 13)'


class DeviceError(MinimixerError, RuntimeError):
    """A device is missing, or arrays of two devices met in one op."""


@dataclass(frozen=True)
class Device:
    """Where arrays live: a name, the module that computes there, its array class, and how to copy in and out."""

    name: str
    xp: Module
    array_type: type
    to_device: Any          # numpy.ndarray -> array
    to_numpy: Any           # array -> numpy.ndarray
    special: str            # the module that has erf
    synchronize: Any = lambda: None


CPU = Device("cpu", np, np.ndarray, np.asarray, np.asarray, "scipy.special")
_devices: dict[str, Device] = {}
_by_type: dict[type, Device] = {}
_by_module: dict[Module, Device] = {}
_by_types: dict[tuple[type, ...], Module] = {}


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
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:      # CuPy raises its own CUDARuntimeError, and others where the driver is absent
        return f"CuPy found no usable CUDA device ({error}); check the driver, then {INSTALL_CUPY}"
    if count == 0:
        return "CuPy is installed but this machine has no CUDA device"
    register(Device("gpu", cupy, cupy.ndarray, cupy.asarray, cupy.asnumpy, "cupyx.scipy.special",
                    lambda: cupy.cuda.get_current_stream().synchronize()))
    return None


def get_device(name: str) -> Device:
    """The device called ``name``: "cpu" or "gpu".  Raises DeviceError if there is none."""
    if name == "gpu" and (problem := gpu_problem()):
        raise DeviceError(f"device 'gpu' cannot be used: {problem}")
    if name not in _devices:
        raise DeviceError(f"unknown device {name!r}: expected 'cpu' or 'gpu'")
    return _devices[name]


def as_array(data: Any) -> Array:
    """An array of a known device as it is; anything else as a NumPy array, float32 where it would be float64."""
    if type(data) in _by_type:
        return data
    array = np.asarray(data)
    return array.astype(np.float32) if array.dtype == np.float64 and not isinstance(data, np.generic) else array


def device_of(array: Array) -> Device:
    """The device on which an array lives."""
    try:
        return _by_type[type(array)]
    except KeyError:
        raise DeviceError(f"{type(array).__name__} is not an array of a known device: "
                          f"expected one of {[d.array_type.__name__ for d in _devices.values()]}") from None


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


def to_device(array: Array, name: str) -> Array:
    """Copy an array to a device; an array that is there already is returned as it is."""
    target, source = get_device(name), device_of(array)
    return array if source is target else target.to_device(source.to_numpy(array))


def to_numpy(array: Array) -> np.ndarray:
    """The array as a numpy.ndarray, copied from its device if it is not on the CPU."""
    return device_of(array).to_numpy(array)


def synchronize(name: str) -> None:
    """Wait until all work given to the device is done (needed before reading a clock on a GPU)."""
    get_device(name).synchronize()


def erf(xp: Module, x: Array) -> Array:
    """Error function; NumPy has none, so it comes from SciPy, imported at the first use."""
    return importlib.import_module(_by_module[xp].special).erf(x)
