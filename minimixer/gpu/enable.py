"""Make the device "gpu" from CuPy, where there is a GPU that works."""

import functools
import importlib
import os
from typing import Any

import numpy as np

from minimixer.backend import Device, DeviceError, Module, lazily
from minimixer.gpu.graph import Graph

STREAMS = "CUPY_CUDA_PER_THREAD_DEFAULT_STREAM"
INSTALL_CUPY = 'pip install "minimixer[gpu-cuda12]" (CUDA 12) or pip install "minimixer[gpu-cuda13]" (CUDA 13)'


def problem() -> str | None:
    """None where a GPU can be used; otherwise one sentence that says what is missing and how to get it."""
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
    return None if count else "CuPy is installed but this machine has no CUDA device"


def enable() -> Device:
    """The device "gpu"; call it where there is no problem."""
    cupy = importlib.import_module("cupy")
    return Device("gpu", cupy, cupy.ndarray, cupy.asarray, cupy.asnumpy, lazily("cupyx.scipy.special", "erf"),
                  lambda: cupy.cuda.get_current_stream().synchronize(), functools.partial(Graph, cupy),
                  functools.partial(set_tf32, cupy), functools.partial(model, cupy))


def model(cupy: Module) -> str:
    """What NVIDIA calls this GPU."""
    runtime = cupy.cuda.runtime
    return str(runtime.getDeviceProperties(runtime.getDevice())["name"].decode())


def set_tf32(cupy: Module, on: bool) -> None:
    """Let CuPy's own products use TF32, or not.  Raises DeviceError where the GPU has none."""
    if on and int(cupy.cuda.Device().compute_capability) < 80:
        raise DeviceError(f"precision 'tf32' needs compute capability 8.0, and {model(cupy)} has less: choose "
                          "'float32'")
    # CuPy documents only CUPY_TF32=1, which it reads once, at the first product.
    linalg: Any = importlib.import_module("cupy._core._routines_linalg")
    linalg.set_compute_type(np.float32, linalg.COMPUTE_TYPE_TF32 if on else linalg.COMPUTE_TYPE_DEFAULT)
