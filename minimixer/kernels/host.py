"""What the process can be told so that NumPy runs faster in it: which BLAS kernel to use, and to keep its memory."""

import ctypes
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

import numpy as np

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3      # <malloc.h>
CORETYPE = "OPENBLAS_CORETYPE"      # read by OpenBLAS when it is loaded
CHOSEN = "MINIMIXER_BLAS_CHOSEN"    # set when the choice was ours
AVX2_KERNELS = {"Haswell", "Zen"}   # what OpenBLAS may take on a CPU that could do more
AVX512_KERNEL = "SkylakeX"
LAUNCHERS = (("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
             ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"))      # MPICH and its kin, Open MPI, Slurm's srun

_lock, _blocks = Lock(), 0                      # open ones of one_blas_thread,
_limits: Any = None                             # and what they must undo


def keep_freed_memory() -> bool:
    """Let the C library keep the memory of freed arrays for the next ones; return whether it could be asked.

    By default glibc gives the memory of large arrays back to the system at once, and a training step, which frees and
    allocates the same sizes over and over, pays a page fault for every 4 KiB of them, every time.  Elsewhere than on
    Linux with glibc nothing is changed.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    largest = 2**31 - 1
    return all([mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, largest), mallopt(M_TOP_PAD, 64 << 20)])


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within this block every product is computed by the thread that asks for it; the last block to end undoes that."""
    from threadpoolctl import threadpool_limits
    global _limits, _blocks
    with _lock:
        if not _blocks:
            _limits = threadpool_limits(1, user_api="blas")
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if not _blocks:
                _limits.restore_original_limits()


def launched(environment: Mapping[str, str] = os.environ) -> tuple[int, int] | None:
    """Rank and number of the processes that mpiexec or srun started together with this one; None for one alone."""
    for rank, size in LAUNCHERS:
        if environment.get(rank, "").isdigit() and environment.get(size, "").isdigit() and int(environment[size]) > 1:
            return int(environment[rank]), int(environment[size])
    return None


def _cpuinfo(entry: str) -> str:
    """An entry of Linux's /proc/cpuinfo, of the first core; empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(entry)), "")


def cpu_flags() -> set[str]:
    """Instruction sets of this CPU as Linux names them, such as ``avx512f``; empty where it does not say."""
    return set(_cpuinfo("flags").split())


def cpu_name() -> str:
    """What the maker calls this CPU, as far as the system says."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def blas_kernel() -> str:
    """The kernels that NumPy's OpenBLAS runs, such as ``Haswell`` or ``SkylakeX``; empty for another BLAS."""
    from threadpoolctl import threadpool_info
    loaded = [lib for lib in threadpool_info() if lib["internal_api"] == "openblas"]
    return str(loaded[0]["architecture"]) if loaded else ""


def product_error() -> float:
    """Relative error of float32 products, at shapes with and without remainders, against float64."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for n, k, m in ((64, 128, 512), (67, 129, 35), (1024, 48, 128)):
        a, b = rng.standard_normal((n, k)), rng.standard_normal((k, m))
        found, exact = a.astype(np.float32) @ b.astype(np.float32), a @ b
        worst = float(np.maximum(worst, np.abs(found - exact).max() / np.abs(exact).max()))      # NaN stays NaN
    return worst


def choose_blas_kernel(arguments: Sequence[str]) -> None:
    """Start this process again with OpenBLAS's AVX-512 kernels, where the CPU has AVX-512 and OpenBLAS passed it over.

    OpenBLAS reads its setting when NumPy loads it, hence the new start.  ``--no-blas-tune`` among the arguments, or
    OPENBLAS_CORETYPE in the environment, declines.  What was chosen must multiply correctly, or it is taken back.
    """
    if os.environ.get(CHOSEN) == AVX512_KERNEL:
        if not product_error() <= 1e-5:
            print(f"minimixer: {AVX512_KERNEL} kernels multiply wrongly here, back to Haswell", file=sys.stderr)
            _start_again("Haswell")
    elif (CORETYPE not in os.environ and "--no-blas-tune" not in arguments and "avx512f" in cpu_flags()
          and blas_kernel() in AVX2_KERNELS):
        rank, _ = launched() or (0, 1)
        if rank == 0:                   # of many processes one speaks
            print(f"minimixer: OpenBLAS chose its {blas_kernel()} kernels on a CPU with AVX-512; starting again "
                  f"with {AVX512_KERNEL} (--no-blas-tune declines)", file=sys.stderr)
        _start_again(AVX512_KERNEL)


def _start_again(kernel: str) -> NoReturn:
    os.environ[CORETYPE] = os.environ[CHOSEN] = kernel
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
