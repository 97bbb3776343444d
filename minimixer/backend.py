"""Every difference between NumPy and CuPy that the rest of the library would meet.

A device is an array module: numpy for "cpu", cupy for "gpu".  Which one an op uses follows from the data it is given,
never from a global setting.  This file imports no CuPy: ``minimixer/__init__.py`` hands in what knows the GPU.
"""

import importlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from minimixer.errors import MinimixerError

Array: TypeAlias = Any      # numpy.ndarray or cupy.ndarray: CuPy ships no types
Module: TypeAlias = Any     # numpy or cupy
Precision = Literal["float32", "tf32"]


class DeviceError(MinimixerError, RuntimeError):
    """A device is missing, or arrays of two devices met in one op."""


class CopyInGraphError(DeviceError):
    """An array was copied between devices by what was being recorded as a graph."""


@dataclass(frozen=True)
class Device:
    """Where arrays live: a name, the module that computes there, its array class, and how to copy in and out.

    Where a device has no such thing, these are None: ``record(function, arguments)`` makes a call repeatable without
    Python (``gpu/graph.py``); ``set_tf32(on)`` changes how float32 matrices are multiplied.  ``model`` says which
    hardware it is.
    """

    name: str
    xp: Module
    array_type: type
    to_device: Any          # numpy.ndarray -> array
    to_numpy: Any           # array -> numpy.ndarray
    erf: Callable[[Array], Array]
    synchronize: Callable[[], None] = lambda: None
    record: Callable[[Callable[..., Any], Sequence[Array]], Callable[..., Any]] | None = None
    set_tf32: Callable[[bool], None] | None = None
    model: Callable[[], str] = lambda: "the host"


@dataclass(frozen=True)
class GPU:
    """What knows the GPU.

    ``problem()`` says in one sentence why there is none, or returns None, and changes nothing; ``enable()`` makes the
    device, and may be called where there is no problem; ``check(device)`` says which ops have a fast form that is wrong
    there, and why, warns, and keeps these forms from being used.
    """

    problem: Callable[[], str | None]
    enable: Callable[[], Device]
    check: Callable[[Device], Mapping[str, str]]


def lazily(module: str, name: str) -> Callable[..., Any]:
    """A function of a module that is imported at the first call."""
    return lambda *arguments: getattr(importlib.import_module(module), name)(*arguments)


CPU = Device("cpu", np, np.ndarray, np.asarray, np.asarray, lazily("scipy.special", "erf"))
_devices: dict[str, Device] = {}
_by_type: dict[type, Device] = {}
_by_module: dict[Module, Device] = {}
_by_types: dict[tuple[type, ...], Module] = {}
_gpu: GPU | None = None
_faults: Mapping[str, str] = {}
_precision: Precision = "float32"


def register(device: Device) -> None:
    """Make a device known by its name, its array class and its module."""
    _devices[device.name] = device
    _by_type[device.array_type] = device
    _by_module[device.xp] = device


register(CPU)


def set_gpu(gpu: GPU) -> None:
    """Hand in what knows the GPU."""
    global _gpu
    _gpu = gpu


def gpu_problem() -> str | None:
    """None where a GPU can be used; otherwise one sentence that says what is missing and how to get it."""
    if "gpu" in _devices:
        return None
    return _gpu.problem() if _gpu is not None else "nothing here knows how to use one"


def _enable_gpu() -> None:
    """Make the device "gpu" known.  Raises DeviceError."""
    if problem := gpu_problem():
        raise DeviceError(f"device 'gpu' cannot be used: {problem}")
    if "gpu" not in _devices and _gpu is not None:
        global _faults
        register(device := _gpu.enable())
        _faults = _gpu.check(device)


def gpu_faults() -> Mapping[str, str]:
    """The ops whose fast form is wrong on the GPU, so not used, and what is wrong.  Raises DeviceError."""
    _enable_gpu()
    return _faults


def get_device(name: str) -> Device:
    """The device called ``name``: "cpu" or "gpu".  Raises DeviceError if there is none."""
    if name == "gpu":
        _enable_gpu()
    if name not in _devices:
        raise DeviceError(f"unknown device {name!r}: expected 'cpu' or 'gpu'")
    return _devices[name]


def choose_device(wanted: str) -> tuple[str, str]:
    """The device for a run, and one sentence that says which it is and why.

    Parameters
    ----------
    wanted : "auto", "cpu" or "gpu"
        "auto" takes the GPU where there is one on which every fast form agrees with its reference.

    Raises
    ------
    DeviceError
        If "gpu" cannot be used, or for another word.
    """
    if wanted == "auto":
        if problem := gpu_problem():
            return "cpu", f"on the CPU: {problem.split(';')[0]}"
        if faults := gpu_faults():
            return "cpu", f"on the CPU: on this GPU the fast form of {' and '.join(faults)} is wrong"
        return "gpu", f"on the GPU: {get_device('gpu').model()}"
    if wanted not in ("cpu", "gpu"):
        raise DeviceError(f"unknown device {wanted!r}: expected 'auto', 'cpu' or 'gpu'")
    device = get_device(wanted)
    return wanted, "on the CPU, as asked" if wanted == "cpu" else f"on the GPU, as asked: {device.model()}"


def matmul_precision() -> Precision:
    """How float32 matrices are multiplied on a GPU now, see ``use_matmul_precision``."""
    return _precision


@contextmanager
def use_matmul_precision(precision: Precision, device: str) -> Iterator[None]:
    """Within this block, in all threads, float32 matrices are multiplied on a device with this precision.

    "tf32" rounds the factors to 10 bits of the fraction and adds up in float32, on the tensor cores of NVIDIA GPUs;
    "float32", the default everywhere, does not.  (It affects Linear and MatMul; of CuPy's own products, those of two
    matrices.)

    Raises
    ------
    DeviceError
        If the device cannot do that.
    """
    global _precision
    if precision not in ("float32", "tf32"):
        raise DeviceError(f"unknown precision {precision!r}: expected 'float32' or 'tf32'")
    switch = get_device(device).set_tf32
    if switch is None:
        if precision == "tf32":
            raise DeviceError(f"precision 'tf32' needs an NVIDIA GPU, and this runs on {device!r}: choose 'float32', "
                              "or device 'gpu'")
        yield
        return
    previous = _precision
    switch(precision == "tf32")
    _precision = precision
    try:
        yield
    finally:
        _precision = previous
        switch(previous == "tf32")


def as_array(data: Any) -> Array:
    """An array of a known device unchanged; anything else as a NumPy array, float32 where it would be float64."""
    if _is_known(data):
        return data
    array = np.asarray(data)
    is_list = not isinstance(data, (np.generic, np.ndarray))
    return array.astype(np.float32) if array.dtype == np.float64 and is_list else array


def _is_known(data: Any) -> bool:
    """Whether it is an array of a known device; an array of CuPy asks for the GPU."""
    if type(data) not in _by_type and type(data).__module__.startswith("cupy"):
        _enable_gpu()
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
