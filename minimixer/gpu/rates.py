"""What a GPU is and what it reaches, by its own clock.  ``cupy`` is the module of the device "gpu"."""

import statistics
from collections.abc import Callable

import numpy as np

from minimixer.backend import DeviceError, Module, Precision, use_matmul_precision


def describe(cupy: Module) -> list[tuple[str, str]]:
    """Name and value of what matters."""
    device, runtime = cupy.cuda.Device(), cupy.cuda.runtime
    properties = runtime.getDeviceProperties(device.id)
    free, total = device.mem_info
    capability = int(device.compute_capability)
    return [
        ("GPU", f"{properties['name'].decode()}, compute capability {capability // 10}.{capability % 10}, "
                f"{properties['multiProcessorCount']} multiprocessors"),
        ("GPU memory", f"{total / 2**30:,.1f} GiB, {free / 2**30:,.1f} free"),
        ("CuPy", f"{cupy.__version__}, CUDA {_version(runtime.runtimeGetVersion())}, "
                 f"driver for CUDA up to {_version(runtime.driverGetVersion())}"),
    ]


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def milliseconds(cupy: Module, work: Callable[[], object], repeats: int = 20, warm_up: int = 3) -> float:
    """Median time that ``work()`` takes on the device."""
    times = []
    for _ in range(warm_up + repeats):
        start, stop = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        work()
        stop.record()
        stop.synchronize()
        times.append(float(cupy.cuda.get_elapsed_time(start, stop)))
    return statistics.median(times[warm_up:])


def product_rate(cupy: Module, precision: Precision, size: int = 4096) -> float | None:
    """TFLOP/s of products of two square matrices; None where the GPU does not know the precision."""
    rng = np.random.default_rng(0)
    a, b = (cupy.asarray(rng.standard_normal((size, size), np.float32)) for _ in range(2))
    out = cupy.empty_like(a)
    try:
        with use_matmul_precision(precision, "gpu"):
            return 2 * size**3 / milliseconds(cupy, lambda: cupy.matmul(a, b, out=out)) / 1e9
    except DeviceError:
        return None


def copy_rate(cupy: Module, megabytes: int = 512) -> float:
    """GB/s that are read and written, together, while a large array is copied on the device."""
    source = cupy.zeros(megabytes << 18, np.float32)
    target = cupy.empty_like(source)
    return 2 * source.nbytes / milliseconds(cupy, lambda: cupy.copyto(target, source)) / 1e6
