"""Is a gradient right?  Central differences tell, up to an error of order step^2."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from minimixer import autograd
from minimixer.backend import Array, to_device, to_numpy
from minimixer.tensor import Tensor

NOISE = 1e-8        # below this, differences of float64 sums are rounding


@dataclass(frozen=True)
class InputReport:
    """How the gradient of one input compares."""

    shape: tuple[int, ...]
    checked: int                # entries compared one by one
    absolute_error: float       # largest |analytic - numeric|
    relative_error: float       # the same, divided by the largest |numeric|
    direction_error: float      # relative error of the slope along one random direction through all entries
    ok: bool


@dataclass(frozen=True)
class GradcheckReport:
    """The verdict of ``gradcheck``; prints as a table, and is true if every gradient is right."""

    inputs: tuple[InputReport, ...]
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether every gradient is right."""
        return all(row.ok for row in self.inputs)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = ["input shape              entries  max abs error  max rel error  direction  verdict"]
        for number, row in enumerate(self.inputs):
            lines.append(f"{number:<6}{row.shape!s:<18}{row.checked:>8}{row.absolute_error:>15.1e}"
                         f"{row.relative_error:>15.1e}{row.direction_error:>11.1e}  {'ok' if row.ok else 'WRONG'}")
        return "\n".join([*lines, f"tolerance {self.tolerance:.0e}, relative to the largest entry"])


def gradcheck(fn: Callable[..., Tensor], *arrays: Array, tolerance: float = 1e-6, step: float = 1e-5,
              max_entries: int = 200, seed: int = 0, device: str = "cpu") -> GradcheckReport:
    """Compare the gradients of ``fn`` with central differences, in float64.

    The output y is reduced to one number by a random cotangent v, ``sum(v * y)``, so that every entry of y counts.

    Parameters
    ----------
    fn : callable
        Takes one Tensor an array, returns a Tensor of any shape; must return the same for the same input.
    *arrays : array of floats
        Where to check.  They are copied as float64; a transposed array stays transposed in memory.
    tolerance : float
        Largest error allowed, relative to the largest entry of the numeric gradient.
    step : float
        Entries are moved by ``+step`` and ``-step``.
    max_entries : int
        Inputs with more entries than this are checked at a seeded sample of as many.  All entries together are
        always checked along one random direction.
    seed : int
        Of the cotangent, the sample and the direction.
    device : str
        Where ``fn`` runs.

    Returns
    -------
    GradcheckReport
        ``report.ok``; ``print(report)`` shows a line an input.
    """
    rng = np.random.default_rng(seed)
    points = [np.array(to_numpy(array), dtype=np.float64, order="K") for array in arrays]
    leaves = [Tensor(as_it_lies(point.copy(order="K"), device), requires_grad=True) for point in points]
    y = fn(*leaves)
    v = rng.standard_normal(y.shape)
    gradients = autograd.grad((y * to_device(v, device)).sum(), leaves)

    def value() -> float:
        with autograd.no_grad():
            y = fn(*[Tensor(as_it_lies(point.copy(order="K"), device)) for point in points])
        return float((to_numpy(y.data) * v).sum())

    return GradcheckReport(tuple(_compare(point, to_numpy(gradient), value, rng, tolerance, step, max_entries)
                                 for point, gradient in zip(points, gradients, strict=True)), tolerance)


def _compare(point: Array, analytic: Array, value: Callable[[], float], rng: np.random.Generator,
             tolerance: float, step: float, max_entries: int) -> InputReport:
    """Move the entries of one input, in place, and put them back."""
    def slope(move: Array) -> float:
        start = point.copy()
        point[...] = start + step * move
        above = value()
        point[...] = start - step * move
        below = value()
        point[...] = start
        return (above - below) / (2 * step)

    def unit_moves() -> Iterator[Array]:
        for i in chosen:
            move = np.zeros(point.shape)
            move.flat[i] = 1
            yield move

    chosen = range(point.size) if point.size <= max_entries else rng.choice(point.size, max_entries, replace=False)
    numeric = np.array([slope(move) for move in unit_moves()])
    error = np.abs(analytic.reshape(-1)[list(chosen)] - numeric).max(initial=0)
    scale = max(np.abs(numeric).max(initial=0), NOISE / tolerance)
    direction = rng.standard_normal(point.shape)
    expected = slope(direction)
    found = float((analytic * direction).sum())
    # Along a direction the slopes may cancel: what counts is the error against the sizes that were added up.
    direction_error = abs(found - expected) / max(abs(expected), float(np.linalg.norm(analytic)), NOISE / tolerance)
    ok = bool(error / scale <= tolerance and direction_error <= tolerance)        # False too where one is NaN
    return InputReport(point.shape, len(chosen), float(error), float(error / scale), direction_error, ok)


def as_it_lies(array: np.ndarray, device: str) -> Array:
    """A dense array on a device, its axes in memory in the order in which they lie here: CuPy's copies forget that."""
    if array.ndim < 2:
        return to_device(array, device)
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    there = to_device(np.ascontiguousarray(array.transpose(order)), device)
    return there.transpose(np.argsort(order).tolist())
