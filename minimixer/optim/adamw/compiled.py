"""AdamW for NumPy's float32: ``inplace.py`` with its loop compiled to one pass."""

from collections.abc import Sequence

import numpy as np

from minimixer.backend import Array, Module
from minimixer.ops.compile import compiled
from minimixer.optim.adamw.inplace import steps

F = np.float32


@compiled
def adamw_loop(p: Array, g: Array, m: Array, v: Array, keep: float, rate: float, beta1: float, beta2: float,
               v_bias: float, eps: float) -> None:
    """All of it in one pass."""
    move1, move2 = F(1 - beta1), F(1 - beta2)
    for i in range(p.size):
        m[i] += move1 * (g[i] - m[i])
        v[i] += move2 * (g[i] * g[i] - v[i])
        p[i] = F(keep) * p[i] - F(rate) * m[i] / (np.sqrt(v[i] / F(v_bias)) + F(eps))


def adamw(xp: Module, params: Sequence[Array], gradients: Sequence[Array], ms: Sequence[Array], vs: Sequence[Array],
          factor: Array | None, *, weight_decays: Sequence[float], lr: float, beta1: float, beta2: float, eps: float,
          step: int) -> None:
    """As the reference."""
    steps(adamw_loop, xp, params, gradients, ms, vs, factor, weight_decays=weight_decays, lr=lr, beta1=beta1,
          beta2=beta2, eps=eps, step=step)
