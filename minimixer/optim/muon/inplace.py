"""Muon for NumPy: the products of a matrix write into two buffers, so that nothing is allocated in a step."""

import builtins
from collections.abc import Sequence

import numpy as np

from minimixer.backend import Array, Module
from minimixer.optim.muon.reference import EPS, STEPS, A, B, C, Map

LARGE = 1 << 14     # numbers; threads only hand the interpreter to each other over smaller matrices


def orthogonalize(matrix: Array) -> Array:
    """As the reference; x is changed in place, step by step."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = np.ascontiguousarray(matrix.T if tall else matrix)
    x = x / (np.sqrt(np.vdot(x, x)) + EPS)
    n = len(x)
    gram, square, product = np.empty((n, n), x.dtype), np.empty((n, n), x.dtype), np.empty_like(x)
    for _ in range(STEPS):
        np.matmul(x, x.T, out=gram)
        np.matmul(gram, gram, out=square)
        gram *= B
        square *= C
        gram += square
        np.matmul(gram, x, out=product)
        x *= A
        x += product
    return x.T if tall else x


def muon(xp: Module, params: Sequence[Array], gradients: Sequence[Array], ms: Sequence[Array], factor: Array | None, *,
         weight_decays: Sequence[float], lr: float, momentum: float, nesterov: bool, map: Map) -> None:
    """As the reference, but ``map`` is for large matrices only."""
    def update(matrix: tuple[Array, Array, Array, float]) -> None:
        p, g, m, weight_decay = matrix
        g = g if factor is None else g * factor
        difference = g - m
        m += (1 - momentum) * difference
        direction = g + momentum * (m - g) if nesterov else m
        p *= 1 - lr * weight_decay
        step = orthogonalize(direction)
        step *= lr * 0.2 * max(p.shape) ** 0.5
        p -= step

    matrices = list(zip(params, gradients, ms, weight_decays, strict=True))
    for each, is_large in ((map, True), (builtins.map, False)):
        for _ in each(update, [matrix for matrix in matrices if (matrix[0].size >= LARGE) == is_large]):
            pass
