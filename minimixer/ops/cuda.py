"""How ops call their CUDA kernels (``kernel.cu`` in their folders) on CuPy arrays.

The kernels read plain memory: what is not C-contiguous is copied first, except swapped views in GELU.  They sum in a
fixed order, so equal inputs give equal bits.  Where there is no GPU, the tests let a C++ compiler take its place.
"""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.backend import Array, Module

COMMON = Path(__file__).with_name("common.cuh")
SUMS = Path(__file__).with_name("column_sums.cu")
REALS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
THREADS = 256               # of a block
PARTS = 512                 # blocks that share the rows of a sum over them: a few for each processor of a GPU
FEW_ROWS = 1 << 10          # that one block adds up for 32 columns
SHARED_BYTES = 47 << 10     # of a block: what every GPU grants, less the kernels' own


@functools.cache
def kernel(source: Path, name: str, real: str, *options: str) -> Any:
    """A kernel of a file, behind common.cuh, for ``"float"`` or ``"double"``; compiled at its first use."""
    return _module(COMMON.read_text() + source.read_text(), f"-DREAL={real}", *options).get_function(name)


@functools.cache
def _module(code: str, *options: str) -> Any:
    import cupy
    return cupy.RawModule(code=code, options=("-std=c++17", *options))


def launch(source: Path, name: str, dtype: Any, blocks: int, threads: tuple[int, int], *arguments: Any,
           shared: int = 0) -> None:
    """Give a kernel to the device; floats become numbers of ``dtype``, Python ints ``int``, np.int64 ``Int``."""
    if blocks:
        typed = tuple(dtype.type(a) if isinstance(a, (float, np.floating)) else np.int32(a) if type(a) is int else a
                      for a in arguments)
        kernel(source, name, REALS[dtype])((blocks,), threads, typed, shared_mem=shared)


def check_dtypes(*arrays: Array) -> None:
    """Raise TypeError unless they are all of float32, or all of float64."""
    dtypes = {a.dtype for a in arrays}
    if len(dtypes) > 1 or not dtypes <= REALS.keys():
        raise TypeError(f"the fused CUDA kernels take arrays that are all float32 or all float64, got "
                        f"{sorted(map(str, dtypes))}: convert them with .astype, or run under mm.reference_kernels()")


def plain(xp: Module, *arrays: Array) -> list[Array]:
    """The arrays in C-contiguous memory.  Raises TypeError as ``check_dtypes`` does."""
    check_dtypes(*arrays)
    return [a if a.flags.c_contiguous else xp.ascontiguousarray(a) for a in arrays]


def is_swapped(x: Array) -> bool:
    """Whether it is a view (B, N, C) of reals that lie in memory as (B, C, N), one behind the other."""
    return x.ndim == 3 and x.dtype in REALS and not x.flags.c_contiguous and x.swapaxes(1, 2).flags.c_contiguous


def elementwise_blocks(size: int) -> int:
    """Blocks for elementwise work: every thread takes a few elements."""
    return min(-(-size // THREADS), 1 << 14)


def by_rows(columns: int) -> tuple[int, int]:
    """Threads that share a row, and rows of a block."""
    across = min(THREADS, max(32, 1 << max(0, columns // 4 - 1).bit_length()))
    return across, THREADS // across


def column_sums(xp: Module, rows: Array) -> Array:
    """Sums over the first axis.  rows: (N, C), the result (C,).

    Of many rows first those of every part are added, else few blocks would work: CuPy's own sum has that fault.
    """
    n, c = rows.shape
    across = -(-c // 32)
    parts = max(1, min(PARTS // across, n // FEW_ROWS))
    sums = xp.empty((parts, c), rows.dtype)
    launch(SUMS, "column_sums", rows.dtype, across * parts, (32, 8), rows, sums, np.int64(n), c, parts)
    return sums[0] if parts == 1 else column_sums(xp, sums)
