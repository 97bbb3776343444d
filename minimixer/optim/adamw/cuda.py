"""AdamW for CuPy: all parameters, and the scaling of their gradients, in one kernel."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.backend import Array, Module
from minimixer.ops.cuda import THREADS, launch, plain
from minimixer.optim.adamw import reference
from minimixer.optim.chunks import CHUNK, addresses, chunks

SOURCE = Path(__file__).with_name("kernel.cu")


@functools.lru_cache(maxsize=16)
def _decays(xp: Module, weight_decays: tuple[float, ...], dtype: Any) -> Array:
    return xp.asarray(np.array(weight_decays, dtype))


def adamw(xp: Module, params: Sequence[Array], gradients: Sequence[Array], ms: Sequence[Array], vs: Sequence[Array],
          factor: Array | None, *, weight_decays: Sequence[float], lr: float, beta1: float, beta2: float, eps: float,
          step: int) -> None:
    """AdamW of all parameters, and the scaling of their gradients: one kernel."""
    if not params:                                  # of Muon's parameters, all may be matrices
        return
    if not all(a.flags.c_contiguous for a in (*params, *ms, *vs)):         # a copy of them would not be them
        reference.adamw(xp, params, gradients, ms, vs, factor, weight_decays=weight_decays, lr=lr, beta1=beta1,
                        beta2=beta2, eps=eps, step=step)
        return
    everything = plain(xp, *params, *gradients, *ms, *vs)
    count, dtype = len(params), params[0].dtype
    sizes, owner, number = chunks(xp, tuple(p.size for p in params))
    table = addresses(xp, *(everything[i:i + count] for i in range(0, 4 * count, count)))
    decays = _decays(xp, tuple(weight_decays), dtype)
    launch(SOURCE, "adamw", dtype, len(owner), (THREADS, 1), table, sizes, decays, count, owner, number, CHUNK,
           decays if factor is None else factor, int(factor is not None), float(lr), 1.0 - beta1, 1.0 - beta2,
           float(eps), 1.0 - beta1**step, 1.0 - beta2**step)
