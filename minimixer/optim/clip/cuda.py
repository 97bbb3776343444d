"""The norm of all gradients and the clipping factor for CuPy: two kernels."""

from collections.abc import Sequence
from pathlib import Path

from minimixer.backend import Array, Module
from minimixer.ops.cuda import THREADS, launch, plain
from minimixer.optim.chunks import CHUNK, addresses, chunks

SOURCE = Path(__file__).with_name("kernel.cu")


def norm_and_factor(xp: Module, gradients: Sequence[Array], max_norm: float) -> tuple[Array, Array]:
    """Norm and clipping factor of all gradients: two kernels."""
    gradients = plain(xp, *gradients)
    dtype = gradients[0].dtype
    sizes, owner, number = chunks(xp, tuple(g.size for g in gradients))
    partial, result = xp.empty(len(owner), dtype), xp.empty(2, dtype)
    launch(SOURCE, "sums_of_squares", dtype, len(owner), (THREADS, 1), addresses(xp, gradients), sizes, owner, number,
           CHUNK, partial)
    launch(SOURCE, "norm_and_factor", dtype, 1, (THREADS, 1), partial, len(owner), float(max_norm), result)
    return result[0], result[1]
