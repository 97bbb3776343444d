"""Muon for NumPy: products write into buffers, and those of a wide matrix are of its Gram matrix."""

import builtins
from collections.abc import Sequence

import numpy as np

from minimixer.backend import Array, Module
from minimixer.optim.muon.reference import EPS, STEPS, A, B, C, Map

LARGE = 1 << 14     # numbers; threads only hand the interpreter to each other over smaller matrices


def orthogonalize(matrix: Array) -> Array:
    """As the reference."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = np.ascontiguousarray(matrix.T if tall else matrix)      # (n, m), n the shorter side
    x = x / (np.sqrt(np.vdot(x, x)) + EPS)
    x = by_gram(x) if x.shape[1] >= 2 * len(x) else by_matrix(x)
    return x.T if tall else x


def by_matrix(x: Array) -> Array:
    """The steps of the reference, in place.  x: (n, m) -> (n, m)."""
    gram, square = (np.empty((len(x), len(x)), x.dtype) for _ in range(2))
    product = np.empty_like(x)
    for _ in range(STEPS):
        np.matmul(x, x.T, out=gram)
        np.matmul(gram, gram, out=square)
        gram *= B
        square *= C
        gram += square
        np.matmul(gram, x, out=product)
        x *= A
        x += product
    return x


def by_gram(x: Array) -> Array:
    """The same steps without x, which is multiplied once in the end.  x: (n, m) -> (n, m).

    A step multiplies x by P = A I + B G + C G^2 with G = x x^T, so it makes P G P of G, and all steps together multiply
    x by the product of all P (Dao AI Lab 2026, "Gram Newton-Schulz").  Most products are then n x n in place of n x m.
    """
    gram = x @ x.T
    step, product = (np.empty_like(gram) for _ in range(2))
    diagonal, steps = step.reshape(-1)[::len(x) + 1], step
    for i in range(STEPS):
        if i:
            np.matmul(step, gram, out=product)
            np.matmul(product, step, out=gram)
        np.matmul(gram, gram, out=step)
        step *= C
        step += np.multiply(gram, B, out=product)
        diagonal += A
        steps = step @ steps if i else step.copy()
    return steps @ x


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
