"""AdamW for NumPy: through one small buffer, so that every array is read and written once from memory."""

from collections.abc import Callable, Sequence

import numpy as np

from minimixer.backend import Array, Module
from minimixer.ops.layout import BLOCK, blocks
from minimixer.optim.adamw.reference import adamw_update


def adamw_loop(p: Array, g: Array, m: Array, v: Array, keep: float, rate: float, beta1: float, beta2: float,
               v_bias: float, eps: float) -> None:
    """Set p = keep p - rate m / (sqrt(v / v_bias) + eps), m and v moved towards g and its square.  All flat."""
    buffer = np.empty(min(BLOCK, p.size), p.dtype)
    for pb, gb, mb, vb in blocks(p, g, m, v):
        b = buffer[:pb.size]
        np.subtract(gb, mb, out=b)
        b *= 1 - beta1
        mb += b
        np.multiply(gb, gb, out=b)
        b -= vb
        b *= 1 - beta2
        vb += b
        np.divide(vb, v_bias, out=b)
        np.sqrt(b, out=b)
        b += eps
        np.divide(mb, b, out=b)
        b *= rate
        pb *= keep
        pb -= b


def steps(loop: Callable[..., None], xp: Module, params: Sequence[Array], gradients: Sequence[Array],
          ms: Sequence[Array], vs: Sequence[Array], factor: Array | None, *, weight_decays: Sequence[float], lr: float,
          beta1: float, beta2: float, eps: float, step: int) -> None:
    """One step of every parameter by a loop over its elements."""
    for p, g, m, v, weight_decay in zip(params, gradients, ms, vs, weight_decays, strict=True):
        g = g if factor is None else g * factor
        if not (p.flags.c_contiguous and m.flags.c_contiguous and v.flags.c_contiguous):
            adamw_update(xp, p, g, m, v, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay,
                         step=step)
            continue                        # a flat view of them would be a copy
        loop(p.reshape(-1), np.ascontiguousarray(g).reshape(-1), m.reshape(-1), v.reshape(-1), 1 - lr * weight_decay,
             lr / (1 - beta1**step), beta1, beta2, 1 - beta2**step, eps)


def adamw(xp: Module, params: Sequence[Array], gradients: Sequence[Array], ms: Sequence[Array], vs: Sequence[Array],
          factor: Array | None, *, weight_decays: Sequence[float], lr: float, beta1: float, beta2: float, eps: float,
          step: int) -> None:
    """As the reference."""
    steps(adamw_loop, xp, params, gradients, ms, vs, factor, weight_decays=weight_decays, lr=lr, beta1=beta1,
          beta2=beta2, eps=eps, step=step)
