"""Test cases for a forward and a backward function: several sizes, contiguous and transposed inputs.

Expected gradients are central differences of the reference forward.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.task import Case, Function, Mistake

STEP = 1e-5


@dataclass(frozen=True)
class Inputs:
    """Arrays that need a gradient, the constant arguments that follow them, and named sizes."""

    arrays: tuple[Array, ...]
    constants: tuple[Any, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    nest: Callable[[Sequence[Any]], tuple[Any, ...]] = tuple       # how the function takes the arrays
    reveals: Mistake | None = None
    note: str = ""                  # what is special, for the label


def normal(seed: int, *shapes: tuple[int, ...]) -> tuple[Array, ...]:
    """Arrays of standard normal float64 numbers."""
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal(shape) for shape in shapes)


def swap_memory(array: Array) -> Array:
    """A view with the same shape and values, but transposed memory."""
    if not isinstance(array, np.ndarray) or array.ndim < 2:
        return array
    return np.ascontiguousarray(array.swapaxes(-1, -2)).swapaxes(-1, -2)


def _each(inputs: Sequence[Inputs]) -> Iterator[tuple[str, bool, Inputs]]:
    for one in inputs:
        said = [f"an input of shape {one.arrays[0].shape}", *(f"{name} = {n}" for name, n in one.sizes.items())]
        said += [one.note] if one.note else []
        for transposed in (False, True) if one.arrays[0].ndim > 1 else (False,):
            arrays = tuple(map(swap_memory, one.arrays)) if transposed else one.arrays
            label = ", ".join([*said, "transposed memory"] if transposed else said)
            yield label, transposed, replace(one, arrays=arrays)


def forward_cases(reference: Function, inputs: Sequence[Inputs]) -> list[Case]:
    """Calls of forward; the expected result is what ``reference`` returns."""
    cases = []
    for label, transposed, one in _each(inputs):
        arguments = (*one.nest(one.arrays), *one.constants)
        cases.append(Case(label, arguments, reference(*arguments), one.sizes, transposed, reveals=one.reveals))
    return cases


def backward_cases(reference: Function, inputs: Sequence[Inputs]) -> list[Case]:
    """Calls of backward with what ``reference`` saved; the expected gradients are central differences."""
    cases = []
    for label, transposed, one in _each(inputs):
        y, saved = reference(*one.nest(one.arrays), *one.constants)
        gy = np.random.default_rng(7).standard_normal(np.shape(y))
        gy = swap_memory(gy) if transposed else gy
        gradients = one.nest(numeric_gradients(reference, one, gy))
        expected = gradients if len(gradients) > 1 else gradients[0]
        before = (*one.nest(one.arrays), *one.constants)
        cases.append(Case(label, (gy, *saved), expected, one.sizes, transposed, before, reveals=one.reveals))
    return cases


def numeric_gradients(reference: Function, inputs: Inputs, gy: Array) -> list[Array]:
    """Central differences of ``sum(gy * y)`` for every entry of every array, in float64."""
    arrays = [np.array(array, dtype=np.float64, order="K") for array in inputs.arrays]

    def value() -> float:
        y, _ = reference(*inputs.nest(arrays), *inputs.constants)
        return float(np.sum(gy * y))

    gradients = []
    for array in arrays:
        gradient = np.empty(array.shape)
        for index in np.ndindex(array.shape):
            start = array[index]
            array[index] = start + STEP
            above = value()
            array[index] = start - STEP
            gradient[index] = (above - value()) / (2 * STEP)
            array[index] = start
        gradients.append(gradient)
    return gradients
