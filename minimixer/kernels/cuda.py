"""Faster pairs for CuPy: one fused kernel a direction, written in cuda.cu.  Imported when a GPU is first asked for.

The kernels read plain memory: what is not C-contiguous is copied first, but for swapped views in GELU.  They sum in a
fixed order, so equal inputs give equal bits.  Each pair is proved equal to the op it replaces in
tests/kernels/test_cuda.py, where a C++ compiler takes the place of the GPU.
"""

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.backend import Array, Module
from minimixer.kernels.registry import fast
from minimixer.ops.gelu import Gelu, GeluErf
from minimixer.ops.layernorm import LayerNorm
from minimixer.ops.softmax import CrossEntropy
from minimixer.optim import adamw_step, average_step, norm_and_factor

SOURCE = Path(__file__).with_suffix(".cu")
REALS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
THREADS = 256               # of a block
PARTS = 512                 # blocks that share the rows of a sum over them: a few for each processor of a GPU
FEW_ROWS = 1 << 10          # that one block adds up for 32 columns
SHARED_BYTES = 47 << 10     # of a block: what every GPU grants, less the kernels' own
CHUNK = 1 << 13             # elements of a parameter that one block updates


@functools.cache
def kernel(name: str, real: str) -> Any:
    """A kernel of cuda.cu for ``"float"`` or ``"double"``."""
    return compiled(SOURCE, f"-DREAL={real}").get_function(name)


@functools.cache
def compiled(source: Path, *options: str) -> Any:
    """The kernels of a file, compiled at the first use."""
    import cupy
    return cupy.RawModule(code=source.read_text(), options=("-std=c++17", *options))


def launch(name: str, dtype: Any, blocks: int, threads: tuple[int, int], *arguments: Any, shared: int = 0) -> None:
    """Give a kernel to the device; floats become numbers of ``dtype``, Python ints ``int``, np.int64 ``Int``."""
    if blocks:
        typed = tuple(dtype.type(a) if isinstance(a, (float, np.floating)) else np.int32(a) if type(a) is int else a
                      for a in arguments)
        kernel(name, REALS[dtype])((blocks,), threads, typed, shared_mem=shared)


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


def spread(size: int) -> int:
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
    launch("column_sums", rows.dtype, across * parts, (32, 8), rows, sums, np.int64(n), c, parts)
    return sums[0] if parts == 1 else column_sums(xp, sums)


@fast(Gelu, "cupy")
class GeluKernel:
    """GELU, tanh form.  Saves x alone.  Of a swapped view it makes a swapped view."""

    name = "gelu"

    @classmethod
    def forward(cls, xp: Module, x: Array) -> tuple[Array, tuple[Array]]:
        if is_swapped(x):
            return cls.forward(xp, x.swapaxes(1, 2))[0].swapaxes(1, 2), (x,)
        x, = plain(xp, x)
        y = xp.empty_like(x)
        launch(f"{cls.name}_forward", x.dtype, spread(x.size), (THREADS, 1), x, y, np.int64(x.size))
        return y, (x,)

    @classmethod
    def backward(cls, xp: Module, gy: Array, x: Array) -> Array:
        if is_swapped(x):
            return cls.backward(xp, gy.swapaxes(1, 2), x.swapaxes(1, 2)).swapaxes(1, 2)
        gy, x = plain(xp, gy, x)
        gx = xp.empty_like(x)
        launch(f"{cls.name}_backward", x.dtype, spread(x.size), (THREADS, 1), gy, x, gx, np.int64(x.size))
        return gx


@fast(GeluErf, "cupy")
class GeluErfKernel(GeluKernel):
    """GELU, exact form, likewise."""

    name = "gelu_erf"


@fast(LayerNorm, "cupy")
class LayerNormKernel:
    """LayerNorm, one kernel forward and two backward.  Saves x, and mean and 1 / deviation of every row."""

    @staticmethod
    def forward(xp: Module, x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, tuple[Array, ...]]:
        x, weight, bias = plain(xp, x, weight, bias)
        columns = x.shape[-1]
        rows = math.prod(x.shape[:-1])
        y, mean, rstd = xp.empty_like(x), xp.empty((rows, 1), x.dtype), xp.empty((rows, 1), x.dtype)
        threads = by_rows(columns)
        launch("layernorm_forward", x.dtype, -(-rows // threads[1]), threads, x, weight, bias, y, mean, rstd,
               np.int64(rows), columns, float(eps))
        return y, (x, mean, rstd, weight)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, mean: Array, rstd: Array,
                 weight: Array) -> tuple[Array, Array, Array]:
        gy, = plain(xp, gy)
        rows, columns = len(mean), x.shape[-1]
        threads = by_rows(columns)
        shared = threads[1] * 2 * columns * x.itemsize
        if shared > SHARED_BYTES:               # float64, or rows beyond those of any Mixer
            normalized = (x.reshape(rows, columns) - mean) * rstd
            gx, gweight, gbias = LayerNorm.backward(xp, gy.reshape(rows, columns), normalized, rstd, weight)
            return gx.reshape(x.shape), gweight, gbias
        blocks = min(PARTS, max(1, -(-rows // threads[1])))
        gx, partial = xp.empty_like(x), xp.empty((blocks, 2 * columns), x.dtype)
        launch("layernorm_backward", x.dtype, blocks, threads, gy, x, mean, rstd, weight, gx, partial, np.int64(rows),
               columns, shared=shared)
        sums = column_sums(xp, partial)         # (2 * C)
        return gx, sums[:columns], sums[columns:]


@fast(CrossEntropy, "cupy")
class CrossEntropyKernel:
    """Softmax and cross-entropy in one kernel, and a second one that sums; backward is one."""

    @staticmethod
    def forward(xp: Module, logits: Array, targets: Array, label_smoothing: float) -> tuple[Array, tuple[Any, ...]]:
        logits, = plain(xp, logits)
        rows, classes = logits.shape
        soft = targets.ndim == 2
        targets = xp.ascontiguousarray(targets.astype(logits.dtype if soft else xp.int64, copy=False))
        # Labels, probabilities, which of the two: the kernels do not read the other one.
        options = ((xp.empty(1, xp.int64), targets, 1) if soft else (targets, logits, 0)) + (float(label_smoothing),)
        losses, saved = xp.empty((rows, 1), logits.dtype), xp.empty((rows, 3), logits.dtype)
        threads = by_rows(classes)
        launch("cross_entropy_forward", logits.dtype, -(-rows // threads[1]), threads, logits, *options, losses, saved,
               np.int64(rows), classes)
        return column_sums(xp, losses).reshape(()), (logits, options, saved)

    @staticmethod
    def backward(xp: Module, gy: Array, logits: Array, options: Any, saved: Array) -> tuple[Array, Any]:
        gx = xp.empty_like(logits)
        launch("cross_entropy_backward", logits.dtype, spread(logits.size), (THREADS, 1), gy, logits, *options, saved,
               gx, np.int64(len(logits)), logits.shape[1])
        return gx, None


def addresses(xp: Module, *lists: Sequence[Array]) -> Array:
    """Where arrays lie, (lists, arrays): a small copy to the device, for which the host does not wait."""
    return xp.asarray(np.array([[a.data.ptr for a in arrays] for arrays in lists], np.uint64))


@functools.lru_cache(maxsize=64)
def chunks(xp: Module, sizes: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Sizes of arrays; and for every block, which array it works on, and on which chunk of that."""
    owner = [i for i, size in enumerate(sizes) for _ in range(-(-size // CHUNK))]
    number = [j for size in sizes for j in range(-(-size // CHUNK))]
    return (xp.asarray(np.array(sizes, np.int64)), xp.asarray(np.array(owner, np.int32)),
            xp.asarray(np.array(number, np.int32)))


@fast(norm_and_factor, "cupy")
def norm_and_factor_at_once(xp: Module, gradients: Sequence[Array], max_norm: float) -> tuple[Array, Array]:
    """Norm and clipping factor of all gradients: two kernels."""
    gradients = plain(xp, *gradients)
    dtype = gradients[0].dtype
    sizes, owner, number = chunks(xp, tuple(g.size for g in gradients))
    partial, result = xp.empty(len(owner), dtype), xp.empty(2, dtype)
    launch("sums_of_squares", dtype, len(owner), (THREADS, 1), addresses(xp, gradients), sizes, owner, number, CHUNK,
           partial)
    launch("norm_and_factor", dtype, 1, (THREADS, 1), partial, len(owner), float(max_norm), result)
    return result[0], result[1]


@functools.lru_cache(maxsize=16)
def _decays(xp: Module, weight_decays: tuple[float, ...], dtype: Any) -> Array:
    return xp.asarray(np.array(weight_decays, dtype))


@fast(adamw_step, "cupy")
def adamw_at_once(xp: Module, params: Sequence[Array], gradients: Sequence[Array], ms: Sequence[Array],
                  vs: Sequence[Array], factor: Array | None, *, weight_decays: Sequence[float], lr: float,
                  beta1: float, beta2: float, eps: float, step: int) -> None:
    """AdamW of all parameters, and the scaling of their gradients: one kernel."""
    if not all(a.flags.c_contiguous for a in (*params, *ms, *vs)):         # a copy of them would not be them
        adamw_step(xp, params, gradients, ms, vs, factor, weight_decays=weight_decays, lr=lr, beta1=beta1, beta2=beta2,
                   eps=eps, step=step)
        return
    everything = plain(xp, *params, *gradients, *ms, *vs)
    count, dtype = len(params), params[0].dtype
    sizes, owner, number = chunks(xp, tuple(p.size for p in params))
    table = addresses(xp, *(everything[i:i + count] for i in range(0, 4 * count, count)))
    decays = _decays(xp, tuple(weight_decays), dtype)
    launch("adamw", dtype, len(owner), (THREADS, 1), table, sizes, decays, count, owner, number, CHUNK,
           decays if factor is None else factor, int(factor is not None), float(lr), 1.0 - beta1, 1.0 - beta2,
           float(eps), 1.0 - beta1**step, 1.0 - beta2**step)


@fast(average_step, "cupy")
def average_at_once(xp: Module, means: Sequence[Array], params: Sequence[Array], share: float) -> None:
    """The averaged weights, of all parameters: one kernel."""
    if not all(mean.flags.c_contiguous for mean in means):
        average_step(xp, means, params, share)
        return
    table = addresses(xp, means, everything := plain(xp, *params))
    sizes, owner, number = chunks(xp, tuple(mean.size for mean in means))
    launch("weight_average", everything[0].dtype, len(owner), (THREADS, 1), table, sizes, len(means), owner, number,
           CHUNK, share)
