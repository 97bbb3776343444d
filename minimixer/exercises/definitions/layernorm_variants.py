"""LayerNorm with one part changed, for exercise 06."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.task import Case, Function


def mean(array: Array) -> Array:
    return array.mean(-1, keepdims=True)


def variance(x: Array) -> Array:
    return x.var(-1, keepdims=True)


def forward(center: Function = mean, var: Function = variance, root: Function = lambda v, eps: np.sqrt(v + eps),
            y: Function = lambda n, weight, bias: n * weight + bias,
            saved: Function = lambda n, rstd, weight, centered, y: (n, rstd, weight)) -> Function:
    """Y and what is saved, with one part changed."""
    def changed(x: Array, weight: Array, bias: Array, eps: float) -> Any:
        centered = x - center(x)
        rstd = 1 / root(var(x), eps)
        n = centered * rstd
        result = y(n, weight, bias)
        return result, saved(n, rstd, weight, centered, result)
    return changed


def backward(weight: str = "first", rstd: float = 1, mean_factor: float | str = -1, var: float | str = -1,
             mean_of: Function = lambda g, gy, n: mean(g), var_of: Function = lambda g, gy, n: n * mean(g * n),
             gweight: Function = lambda gy, n, w: gy * n, total: Function = lambda a: a.sum(tuple(range(a.ndim - 1))),
             gbias: Function = lambda gy, w: gy) -> Function:
    """The three gradients, some changed: where weight enters, the power of rstd, and the factors of two terms of gx."""
    def gx(gy: Array, n: Array, r: Array, w: Array) -> Any:
        g = gy * w if weight == "first" else gy
        c, rows = gy.shape[-1], gy.shape[0] if gy.ndim else 1
        sizes: dict[float | str, float] = {"-C": -c, "-C/N": -c / rows, "-C/(C-1)": -c / (c - 1)}
        inner = (g + sizes.get(mean_factor, mean_factor) * mean_of(g, gy, n)
                 + sizes.get(var, var) * var_of(g, gy, n))
        return (r**rstd * (w if weight == "last" else 1) * inner, total(gweight(gy, n, w)), total(gbias(gy, w)))
    return gx


def terms_of(gy: Array, n: Array, r: Array, w: Array, weight: str = "first", power: float = 1) -> dict[str, Array]:
    """The three terms of gx, with the signs that they have."""
    g = gy * w if weight == "first" else gy
    scale = r**power * (w if weight == "last" else 1)
    return {"through x itself": scale * g, "through the mean": -scale * mean(g) * np.ones_like(g),
            "through the variance": -scale * n * mean(g * n)}


def sums(**options: Any) -> Callable[[Case], dict[str, Array]]:
    return lambda case: terms_of(*case.arguments, **options)


def y_terms(case: Case) -> dict[str, Array]:
    x, weight, bias, eps = case.arguments
    n = (x - mean(x)) / np.sqrt(variance(x) + eps)
    return {"normalized * weight": n * weight, "bias": np.zeros_like(x) + bias}


def fixed(eps: float) -> Function:
    return lambda v, _: np.sqrt(v + eps)
