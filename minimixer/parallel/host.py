"""The machine under NumPy: its cores, its BLAS, its launcher, and how a command tunes the process it runs in.

Only commands call ``prepare_process``: what it sets outlives the call.  Everything else here changes nothing, or undoes
what it changed.
"""

import contextlib
import ctypes
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, local
from typing import Any, NoReturn

import numpy as np

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3      # <malloc.h>
CORETYPE = "OPENBLAS_CORETYPE"      # read by OpenBLAS when it is loaded
CHOSEN = "MINIMIXER_BLAS_CHOSEN"    # set when the choice was ours
AVX2_KERNELS = {"Haswell", "Zen"}   # what OpenBLAS may choose on a CPU that could do more
AVX512_KERNEL = "SkylakeX"
LAUNCHERS = (("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
             ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"))      # MPICH and its relatives, Open MPI, Slurm's srun

_lock, _blocks = Lock(), 0                      # open blocks of one_blas_thread,
_limits: list[tuple[Any, int]] = []             # and the BLAS libraries with the limits they must restore


class _Here(local):
    blocks = 0                                  # those of this thread


_here = _Here()


def prepare_process(arguments: Sequence[str]) -> None:
    """Tune this process for NumPy, as the first act of a command that computes; never call it from a library.

    May restart the process with faster BLAS kernels (see ``choose_blas_kernel``); lets the C library keep freed memory.

    Parameters
    ----------
    arguments : sequence of str
        The command's; ``--no-blas-tune`` among them keeps the BLAS kernels as they are.
    """
    choose_blas_kernel(arguments)
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Let the C library keep the memory of freed arrays for the next ones; return whether it could be asked.

    By default glibc returns the memory of large arrays to the system at once.  A training step frees and allocates the
    same sizes over and over, so it would pay a page fault for every 4 KiB of them, every time.  Only glibc on Linux is
    changed.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    largest = 2**31 - 1
    return all([mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, largest), mallopt(M_TOP_PAD, 64 << 20)])


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within this block BLAS uses the calling thread only.  Blocks may overlap; the last to end restores the limits.

    Blocks of several threads may overlap too.  Most builds of BLAS have one limit for the whole process; a build on
    OpenMP has one per thread, so every thread that computes needs its own block, or ``limit_blas_here``.
    """
    global _limits, _blocks
    with _lock:
        if not _blocks:
            _limits = [(library, library.num_threads) for library in _blas_libraries()]
        _blocks, _here.blocks = _blocks + 1, _here.blocks + 1
        _set_blas_threads((library, 1) for library, _ in _limits)
    try:
        yield
    finally:
        with _lock:
            _blocks, _here.blocks = _blocks - 1, _here.blocks - 1
            _set_blas_threads((library, count) for library, count in _limits
                              if not _blocks or (not _here.blocks and _is_limited_per_thread(library)))


def limit_blas_here() -> None:
    """Let this thread, one of a pool that ends with a block of ``one_blas_thread``, compute by itself."""
    with _lock:
        _set_blas_threads((library, 1) for library, _ in _limits)


def _is_limited_per_thread(library: Any) -> bool:
    return getattr(library, "threading_layer", None) == "openmp"


def _blas_libraries() -> list[Any]:
    from threadpoolctl import ThreadpoolController
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


def _set_blas_threads(limits: Iterable[tuple[Any, int]]) -> None:
    """Set the limits, whichever thread asks.

    From 3.8 on threadpoolctl lets only the first thread that has set a limit set another one, and silently ignores the
    others, until it is told to forget that thread.  Here a lock keeps order.
    """
    for library, count in limits:
        forget = getattr(library, "clear_controlling_thread", None)
        if forget is not None:
            forget(force=True)
        library.set_num_threads(count)
        if forget is not None:
            forget(force=True)


def launched(environment: Mapping[str, str] = os.environ) -> tuple[int, int] | None:
    """Rank and number of the processes that mpiexec or srun started together; None for a process by itself."""
    for rank, size in LAUNCHERS:
        if environment.get(rank, "").isdigit() and environment.get(size, "").isdigit() and int(environment[size]) > 1:
            return int(environment[rank]), int(environment[size])
    return None


def physical_cores() -> int:
    """Physical cores that this process may use, at least 1: within its affinity and its container's CPU quota.

    Where the system does not say which logical CPUs share a core, the logical CPUs.
    """
    if sys.platform == "darwin":
        return _cores_of_macos() or os.cpu_count() or 1
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cpus = os.sched_getaffinity(0)
    cores = {_core_of(cpu) for cpu in cpus}
    return int(max(1, min(len(cpus if None in cores else cores), _cpu_quota())))


def _core_of(cpu: int) -> str | None:
    """Which logical CPUs share a core with this one, as Linux writes it (``0,8``); None where it does not say."""
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
    for name in ("core_cpus_list", "thread_siblings_list"):     # the second is its older name
        with contextlib.suppress(OSError):
            return (topology / name).read_text().strip()
    return None


def _cpu_quota() -> float:
    """CPUs' worth of time that a container grants, rounded up; infinite without a limit."""
    groups = Path("/sys/fs/cgroup")
    try:
        quota, period = (groups / "cpu.max").read_text().split()
    except (OSError, ValueError):           # version 1 has two files
        try:
            quota, period = ((groups / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        except OSError:
            return math.inf
    if quota == "max" or int(quota) <= 0 or int(period) <= 0:
        return math.inf
    return math.ceil(int(quota) / int(period))


def _cores_of_macos() -> int:
    """What ``sysctl`` says; 0 if it cannot be asked."""
    try:
        return int(subprocess.run(["sysctl", "-n", "hw.physicalcpu"], capture_output=True, text=True).stdout)
    except (OSError, ValueError):
        return 0


def _cpuinfo(entry: str) -> str:
    """An entry of Linux's /proc/cpuinfo, for the first CPU; empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(entry)), "")


def cpu_flags() -> set[str]:
    """Instruction sets of this CPU as Linux names them, such as ``avx512f``; empty where it does not say."""
    return set(_cpuinfo("flags").split())


def cpu_name() -> str:
    """The CPU's brand name, as far as the system says."""
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
    """Restart this process with OpenBLAS's AVX-512 kernels if the CPU has AVX-512 and OpenBLAS did not choose them.

    OpenBLAS reads its setting when NumPy loads it, hence the restart.  ``--no-blas-tune`` among the arguments, or
    OPENBLAS_CORETYPE in the environment, declines.  Kernels that multiply wrongly are taken back.
    """
    if os.environ.get(CHOSEN) == AVX512_KERNEL:
        if not product_error() <= 1e-5:
            print(f"minimixer: {AVX512_KERNEL} kernels multiply wrongly here, back to Haswell", file=sys.stderr)
            _start_again("Haswell")
    elif (CORETYPE not in os.environ and "--no-blas-tune" not in arguments and "avx512f" in cpu_flags()
          and blas_kernel() in AVX2_KERNELS):
        rank, _ = launched() or (0, 1)
        if rank == 0:                   # only one of many processes speaks
            print(f"minimixer: OpenBLAS chose its {blas_kernel()} kernels on a CPU with AVX-512; starting again "
                  f"with {AVX512_KERNEL} (--no-blas-tune declines)", file=sys.stderr)
        _start_again(AVX512_KERNEL)


def _start_again(kernel: str) -> NoReturn:
    os.environ[CORETYPE] = os.environ[CHOSEN] = kernel
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
