from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.cases import normal, swap_memory
from minimixer.exercises.task import Case, Exercise, Function, Mistake, Task
from minimixer.ops.op import unbroadcast

SHAPES = [((4, 3), (3,)), ((4, 3), (4, 1)), ((2, 4, 3), (4, 1)), ((2, 4, 3), (1, 1, 3)), ((5, 2), ()), ((2, 3), (2, 3)),
          ((2, 4, 3), (1,)), ((3, 3), (3,)), ((3, 3), (3, 1)), ((2, 2, 2), (2, 1)), ((3, 2, 4, 2), (4, 2))]
ONES = [((1, 4, 3), (4, 3)), ((1, 3), (1, 3)), ((4, 1, 3), (1, 3)), ((1, 1), ()), ((2, 1, 3), (2, 1, 1)), ((1,), (1,)),
        ((3,), (1,))]

LENGTH_1 = Mistake(
    "gy-length-1", "An axis of gy has length 1 itself, and is not treated as what it is.",
    "Your test compares lengths: where gy has a 1, it finds no difference. But a new leading axis of length 1 must go, "
    "and an axis of length 1 that shape has, too, must stay. Compare the numbers of axes, not only the lengths.")


def cases() -> list[Case]:
    found = []
    for seed, (large, small) in enumerate([*SHAPES, *ONES]):
        for transposed in (False, True) if len(large) > 1 else (False,):
            gy, = normal(seed, large)
            gy = swap_memory(gy) if transposed else gy
            expected = unbroadcast(gy, (small, gy.dtype))
            label = f"gy of shape {large}, shape = {small}" + (", transposed memory" if transposed else "")
            found.append(Case(label, (gy, small), expected, transposed=transposed,
                              reveals=LENGTH_1 if (large, small) in ONES else None))
    return found


def _axes(gy: Array, shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    added = gy.ndim - len(shape)
    return added, tuple(added + axis for axis, length in enumerate(shape) if length == 1)


def only_new_axes(gy: Array, shape: tuple[int, ...]) -> Array:
    return gy.sum(axis=tuple(range(_axes(gy, shape)[0])))


def only_ones(gy: Array, shape: tuple[int, ...]) -> Array:
    return gy.sum(axis=_axes(gy, shape)[1], keepdims=True)


def reduced(function: Function) -> Function:
    """The right axes, reduced by another function."""
    def other(gy: Array, shape: tuple[int, ...]) -> Any:
        added, ones = _axes(gy, shape)
        return function(gy, axis=(*range(added), *ones), keepdims=True).reshape(shape)
    return other


def first(gy: Array, shape: tuple[int, ...]) -> Array:
    added, ones = _axes(gy, shape)
    return gy[tuple(slice(0, 1) if axis < added or axis in ones else slice(None) for axis in range(gy.ndim))].reshape(
        shape)


def root_of_count(gy: Array, shape: tuple[int, ...]) -> Any:
    total = reduced(np.sum)(gy, shape)
    return total / np.sqrt(gy.size / total.size)


def everything(gy: Array, shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(gy.sum(), shape)


def moving_axes(keep_ones: bool) -> Function:
    """Sum axis after axis, with numbers that no longer fit after the first sum."""
    def shifting(gy: Array, shape: tuple[int, ...]) -> Any:
        added, _ = _axes(gy, shape)
        for axis in range(added):
            gy = gy.sum(axis=axis)
        for axis, length in enumerate(shape):
            if length == 1:
                gy = gy.sum(axis=axis, keepdims=keep_ones)
        return gy
    return shifting


def ones_lost(gy: Array, shape: tuple[int, ...]) -> Any:
    for _ in range(_axes(gy, shape)[0]):
        gy = gy.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            gy = gy.sum(axis=axis)
    return gy


def from_the_left(gy: Array, shape: tuple[int, ...]) -> Any:
    """Align shape with the first axes of gy."""
    padded = (*shape, *(1,) * (gy.ndim - len(shape)))
    axes = tuple(axis for axis, length in enumerate(padded) if length == 1)
    return gy.sum(axis=axes, keepdims=True).reshape(shape)


def last_axes(gy: Array, shape: tuple[int, ...]) -> Any:
    return gy.sum(axis=tuple(range(len(shape), gy.ndim)))


def cut(gy: Array, shape: tuple[int, ...]) -> Any:
    return np.ravel(gy)[:int(np.prod(shape))].reshape(shape)


def squeezed(gy: Array, shape: tuple[int, ...]) -> Any:
    return np.squeeze(reduced(np.sum)(gy, shape))


def unchanged(gy: Array, shape: tuple[int, ...]) -> Any:
    return gy


def rows_first(gy: Array, shape: tuple[int, ...]) -> Any:
    return gy.reshape(-1, *shape).sum(0)


def one_leading(gy: Array, shape: tuple[int, ...]) -> Any:
    if gy.ndim > len(shape):
        gy = gy.sum(0)
    return gy.sum(axis=tuple(axis for axis, n in enumerate(shape) if n == 1), keepdims=True)


def from_the_end(gy: Array, shape: tuple[int, ...]) -> Any:
    while gy.ndim > len(shape):
        gy = gy.sum(-1)
    return gy.sum(axis=tuple(axis for axis, n in enumerate(shape) if n == 1), keepdims=True)


def unaligned(gy: Array, shape: tuple[int, ...]) -> Any:
    axes = tuple(axis for axis, (have, want) in enumerate(zip(gy.shape, shape, strict=False)) if have != want)
    return gy.sum(axis=axes, keepdims=True).reshape(shape)


def last(gy: Array, shape: tuple[int, ...]) -> Any:
    added, ones = _axes(gy, shape)
    return gy[tuple(slice(-1,
                          None) if axis < added or axis in ones else slice(None) for axis in range(gy.ndim))].reshape(
        shape)


ALIGNED = "NumPy aligns shapes on the right: the last axis of shape belongs to the last axis of gy. "

EXERCISE = Exercise(
    id="ex01", name="unbroadcast", title="Undo a broadcast", lesson="01, tensors, shapes, broadcasting",
    tasks=(Task(
        "unbroadcast", "unbroadcast", 10, "result", cases, rows="gy of shape (2, 2) and shape = (2,)",
        mistakes=(
            Mistake("ones-not-summed", "Axes of length 1 were not summed.",
                    "The new leading axes are right. But an axis of length 1 can be repeated too: then it must also be "
                    "summed, and it must stay, with length 1.", only_new_axes),
            Mistake("leading-not-summed", "The new leading axes were not summed.",
                    "The axes of length 1 are right. But gy can have more axes than shape: NumPy adds new axes in "
                    "front. Compare gy.ndim with len(shape).", only_ones),
            Mistake("mean-for-sum", "The repeated numbers are averaged, but they must be added.",
                    "A number that was used n times changes the loss in n places, so its gradient is the sum of n "
                    "gradients, not their mean.", reduced(np.mean)),
            Mistake("max-for-sum", "Of the repeated places only the largest gradient counts.",
                    "Each use of a number changes the loss, so the gradients of all its uses are added.",
                    reduced(np.max)),
            Mistake("first-only", "Only the first of the repeated places is used.",
                    "Taking one index gives the right shape, but the gradients of the other places are lost. They all "
                    "count.", first),
            Mistake("first-only", "Only the last of the repeated places is used.",
                    "Taking one index gives the right shape, but the gradients of the other places are lost. They all "
                    "count.", last),
            Mistake("product-for-sum", "The repeated numbers are multiplied, but they must be added.",
                    "Each use changes the loss, so the gradients of all uses are added.", reduced(np.prod)),
            Mistake("reshape-mixes", "reshape mixes up the axes before the sum.",
                    "reshape(-1, ...) keeps the order of the numbers in memory. That fits new leading axes, but not "
                    "an axis "
                    "of length 1 in the middle or at the end of shape.", rows_first),
            Mistake("one-leading-axis", "Only one new leading axis is summed.",
                    "gy can have two or more axes that shape does not have.", one_leading),
            Mistake("sums-last-axes", "The last axes of gy are summed, not the first.",
                    "The last axis of shape belongs to the last axis of gy. So the axes that shape lacks are in front.",
                    from_the_end),
            Mistake("aligned-left", "The axes of gy and shape are compared from the left.",
                    "They belong together from the right: gy can have more axes in front.", unaligned),
            Mistake("cut-off", "Only the first numbers of gy are kept.",
                    "Cutting gives the right shape, but the gradients of the other places are lost. They all count.",
                    cut),
            Mistake("divided-by-root", "The sum is divided by the root of the number of uses.",
                    "Each use of a number changes the loss, so the gradients of its uses are added, and that is all.",
                    root_of_count),
            Mistake("sums-everything", "All numbers of gy are added into one.",
                    "Every number of the result then is the same. Only the axes that were repeated are summed; the "
                    "others stay.", everything),
            *(Mistake("axes-move", "After the first sum, the numbers of the other axes no longer fit.",
                      "A sum along axis 0 removes it: what was axis 1 is now axis 0. Sum always the first axis, or "
                      "give "
                      "all axes at once, or keep them.", moving_axes(keep)) for keep in (True, False)),
            Mistake("ones-lost", "Axes of length 1 are summed, but they do not stay.",
                    "shape has a 1 there. A sum removes its axis, and then the numbers of the others no longer fit, "
                    "too: keep it.", ones_lost),
            Mistake("squeezed", "All axes of length 1 are removed at the end.",
                    "Those that shape has must stay: the result must have exactly this shape.", squeezed),
            Mistake("aligned-left", "The two shapes are aligned on the left.",
                    ALIGNED + "How many axes does gy have in front of them?", from_the_left),
            Mistake("sums-last-axes", "The last axes of gy are summed, not the first.",
                    ALIGNED + "So the axes that shape does not have are in front.", last_axes),
            Mistake("nothing-summed", "gy is returned as it is.",
                    "That is right only where nothing was repeated. Otherwise some axes must be summed.", unchanged),
        ),
        errors={"AxisError": Mistake(
            "axis-not-there", "You sum along an axis that is not there.",
            "A sum removes its axis, so the others get new numbers. Count the axes that are left at that line.")},
        axes=lambda case: case.arguments[0].ndim),),
    hints=(
        "Write gy.shape and shape below each other, aligned on the right. Which axes differ?",
        "There are two groups of axes to sum over: the axes that shape does not have, and the axes where it has a 1.",
        "np.sum takes a tuple of axes. With keepdims=True no axis is lost, and you can reshape at the end.",
    ))
