"""As much of cupy as the backend and the doctor ask for, on NumPy arrays; its clock goes on by one ms an event."""

import types

import numpy as np


class ndarray(np.ndarray):         # CuPy's name
    pass


def make(devices=1, capability="90"):
    """A module, and the list of compute types that were set."""
    cupy, cuda, runtime = (types.ModuleType(name) for name in ("cupy", "cupy.cuda", "cupy.cuda.runtime"))
    time = [0]

    class Event:
        def record(self):
            time[0] += 1
            self.time = time[0]

        def synchronize(self):
            pass

    class Device:
        id = 0
        compute_capability = capability
        mem_info = (100 << 30, 140 << 30)

    runtime.getDeviceCount = lambda: devices
    runtime.getDevice = lambda: 0
    runtime.getDeviceProperties = lambda i: {"name": b"NVIDIA Test", "multiProcessorCount": 132}
    runtime.runtimeGetVersion = lambda: 12090
    runtime.driverGetVersion = lambda: 13010
    cuda.runtime, cuda.Event, cuda.Device = runtime, Event, Device
    cuda.get_elapsed_time = lambda start, stop: stop.time - start.time
    cuda.get_current_stream = lambda: types.SimpleNamespace(synchronize=lambda: None)
    cupy.cuda, cupy.ndarray, cupy.__version__ = cuda, ndarray, "14.2.0"
    cupy.asarray = lambda a: np.asarray(a).view(ndarray)
    cupy.asnumpy = lambda a: np.array(a)
    for name in ("zeros", "ones", "empty_like", "matmul", "copyto"):
        setattr(cupy, name, getattr(np, name))
    linalg = types.ModuleType("cupy._core._routines_linalg")
    linalg.COMPUTE_TYPE_DEFAULT, linalg.COMPUTE_TYPE_TF32, linalg.types_set = 1, 7, []
    linalg.set_compute_type = lambda dtype, kind: linalg.types_set.append((np.dtype(dtype).name, kind))
    return cupy, linalg
