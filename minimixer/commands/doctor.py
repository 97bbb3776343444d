"""``minimixer doctor``: what this machine is, how fast it multiplies, and what would make minimixer faster on it."""

import platform
import threading
import time
from collections.abc import Sequence

import numpy as np

from minimixer.backend import get_device, gpu_faults, gpu_problem
from minimixer.console import Computing, parse, show, table
from minimixer.errors import OK
from minimixer.gpu.rates import copy_rate, product_rate
from minimixer.gpu.rates import describe as describe_gpu
from minimixer.nn import MIXERS
from minimixer.ops.registry import numba_problem
from minimixer.parallel.host import (
    AVX2_KERNELS,
    AVX512_KERNEL,
    CORETYPE,
    blas_kernel,
    cpu_flags,
    cpu_name,
    keep_freed_memory,
    physical_cores,
    product_error,
)
from minimixer.parallel.mpi import library_of
from minimixer.version import __version__

INTERESTING = ("avx", "avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16")


def main(arguments: Sequence[str]) -> int:
    """Print the report, and return the exit code."""
    parse(Computing, "doctor", "Describe this machine, how fast it multiplies, and what would make it faster.",
          arguments)
    report()
    return OK


def report() -> None:
    """Describe the machine, measure it, and advise."""
    facts = table("", "", show_header=False)
    for name, value in describe():
        facts.add_row(name, value)
    show(facts)
    speeds = table("product in the micro Mixer", "shape", ">1 thread", ">all threads")
    for name, shape, one, every in measure():
        speeds.add_row(name, " x ".join(map(str, shape)), f"{one:,.0f}", f"{every:,.0f}")
    print("\nsgemm, GFLOP/s, shards of 16 images, each thread multiplies alone")
    show(speeds)
    if gpu_problem() is None:
        print("\non the GPU")
        rates = table("", "", show_header=False)
        for row in measure_gpu():
            rates.add_row(*row)
        show(rates)
    print("", *advice(), sep="\n")


def describe() -> list[tuple[str, str]]:
    """Names and values of what matters for speed."""
    from importlib.metadata import version

    from threadpoolctl import threadpool_info
    blas = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
    flags = cpu_flags()
    problem = numba_problem()
    loops = (f"compiled by Numba {version('numba')}" if problem is None else
             f"by NumPy ({problem}); Numba would make GELU and LayerNorm several times faster")
    return [
        ("minimixer", f"{__version__}, Python {platform.python_version()}, NumPy {np.__version__}"),
        ("CPU", f"{cpu_name()}, {physical_cores()} physical cores"),
        ("instructions", " ".join(flag for flag in INTERESTING if flag in flags) or "unknown on this system"),
        *(("BLAS", f"{lib['internal_api']} {lib['version']}, kernels {lib.get('architecture', 'unknown')}, "
                   f"{lib['num_threads']} threads") for lib in blas),
        ("products", f"within {product_error():.0e} of float64"),
        ("freed memory", "is kept for the next arrays" if keep_freed_memory() else "is returned to the system"),
        ("loops", loops),
        ("MPI", mpi_library()),
        *([("GPU", problem)] if (problem := gpu_problem()) else [*describe_gpu(get_device("gpu").xp), gpu_kernels()]),
    ]


def gpu_kernels() -> tuple[str, str]:
    """Whether the fast forms agree with their references on the GPU, and which do not."""
    faults = gpu_faults()
    return "GPU kernels", ("agree with their references" if not faults else
                           "; ".join(f"{name} {why}" for name, why in faults.items()) +
                           ": not used, and --device auto takes the CPU")


def mpi_library() -> str:
    """The MPI library that would connect several processes; it is not started."""
    try:
        import mpi4py
        mpi4py.rc.initialize = False
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        return f"none: {str(error).splitlines()[0]}"
    return f"{library_of(MPI)}, by mpi4py {mpi4py.__version__}"


def measure(seconds: float = 0.2) -> list[tuple[str, tuple[int, int, int], float, float]]:
    """Name, shape (n, k, m), and GFLOP/s of one thread and of all, for the products in a block of the micro Mixer."""
    from threadpoolctl import threadpool_limits
    c = MIXERS["micro"]
    rows = 16 * c.num_patches
    shapes = {
        "token mixing": (c.tokens_mlp_dim, c.num_patches, c.hidden_dim),
        "channel mixing, fc1": (rows, c.hidden_dim, c.channels_mlp_dim),
        "channel mixing, fc2": (rows, c.channels_mlp_dim, c.hidden_dim),
        "gradient of fc1": (c.hidden_dim, rows, c.channels_mlp_dim),
    }
    with threadpool_limits(1, user_api="blas"):
        cores = physical_cores()
        return [(name, shape, _rate(shape, 1, seconds), _rate(shape, cores, seconds)) for name, shape in shapes.items()]


def measure_gpu(size: int = 4096, megabytes: int = 512) -> list[tuple[str, str]]:
    """Names and rates of float32 matrix products, exact and in TF32, and of copies in the GPU's memory."""
    cupy = get_device("gpu").xp
    products = [(precision, product_rate(cupy, precision, size)) for precision in ("float32", "tf32")]
    return [*((f"product of {size:,} x {size:,}, {name}", f"{rate:,.1f} TFLOP/s" if rate else "not on this GPU")
              for name, rate in products),
            ("copy, read and written", f"{copy_rate(cupy, megabytes):,.0f} GB/s")]


def _rate(shape: tuple[int, int, int], threads: int, seconds: float) -> float:
    n, k, m = shape
    done = [0.0] * threads

    def work(thread: int) -> None:
        a, b, out = np.ones((n, k), np.float32), np.ones((k, m), np.float32), np.empty((n, m), np.float32)
        start = time.perf_counter()
        products = 0
        while (elapsed := time.perf_counter() - start) < seconds:
            np.matmul(a, b, out=out)
            products += 1
        done[thread] = products * 2 * n * k * m / elapsed / 1e9

    pool = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    return sum(done)


def advice() -> list[str]:
    """What to do about it, one sentence per entry."""
    kernel = blas_kernel()
    if not kernel:
        return ["NumPy does not use OpenBLAS here: minimixer does not choose BLAS kernels."]
    if "avx512f" in cpu_flags() and kernel in AVX2_KERNELS:
        return [f"This CPU has AVX-512, but OpenBLAS runs {kernel} kernels: minimixer train sets "
                f"{CORETYPE}={AVX512_KERNEL} itself; set it for your own scripts too."]
    return [f"OpenBLAS runs the right kernels for this CPU ({kernel}): nothing to do."]
