"""Muon for CuPy: matrices of one shape are stacked, so that a step takes as many products as there are shapes."""

from collections.abc import Sequence

from minimixer.backend import Array, Module
from minimixer.ops.matmul.cuda import stacked as product
from minimixer.optim.muon.reference import EPS, STEPS, A, B, C, Map


def orthogonalize(xp: Module, matrices: Array) -> Array:
    """As the reference, of a stack.  matrices: (N, in, out) -> the same shape."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = xp.ascontiguousarray(matrices.swapaxes(1, 2)) if tall else matrices        # (N, n, m), n the shorter side
    x = x / (xp.sqrt((x * x).sum((1, 2), keepdims=True)) + EPS)
    for _ in range(STEPS):
        gram = product(xp, x, x.swapaxes(1, 2))                                     # (N, n, n)
        x = A * x + product(xp, B * gram + C * product(xp, gram, gram), x)
    return x.swapaxes(1, 2) if tall else x


def muon(xp: Module, params: Sequence[Array], gradients: Sequence[Array], ms: Sequence[Array], factor: Array | None, *,
         weight_decays: Sequence[float], lr: float, momentum: float, nesterov: bool, map: Map) -> None:
    """As the reference; ``map`` is not needed."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, p in enumerate(params):
        by_shape.setdefault(p.shape, []).append(i)
    for shape, chosen in by_shape.items():
        g, m = (xp.stack([arrays[i] for i in chosen]) for arrays in (gradients, ms))        # (N, in, out)
        g = g if factor is None else g * factor
        m += (1 - momentum) * (g - m)
        step = (lr * 0.2 * max(shape) ** 0.5) * orthogonalize(xp, g + momentum * (m - g) if nesterov else m)
        for n, i in enumerate(chosen):
            ms[i][...] = m[n]
            params[i][...] = params[i] * (1 - lr * weight_decays[i]) - step[n]
