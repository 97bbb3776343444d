from minimixer.backend import Array
from minimixer.exercises.cases import normal, swap_memory
from minimixer.exercises.task import Case, Exercise, Mistake, Task
from minimixer.ops.op import unbroadcast

SHAPES = [((4, 3), (3,)), ((4, 3), (4, 1)), ((2, 4, 3), (4, 1)), ((2, 4, 3), (1, 1, 3)), ((5, 2), ()), ((2, 3), (2, 3)),
          ((2, 4, 3), (1,)), ((3, 3), (3,)), ((3, 3), (3, 1)), ((2, 2, 2), (2, 1))]


def cases() -> list[Case]:
    found = []
    for seed, (large, small) in enumerate(SHAPES):
        for transposed in (False, True):
            gy, = normal(seed, large)
            gy = swap_memory(gy) if transposed else gy
            expected = unbroadcast(gy, (small, gy.dtype))
            label = f"gy of shape {large}, shape = {small}" + (", transposed memory" if transposed else "")
            found.append(Case(label, (gy, small), expected, transposed=transposed))
    return found


def _axes(gy: Array, shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    added = gy.ndim - len(shape)
    return added, tuple(added + axis for axis, length in enumerate(shape) if length == 1)


def only_new_axes(gy: Array, shape: tuple[int, ...]) -> Array:
    return gy.sum(axis=tuple(range(_axes(gy, shape)[0])))


def only_ones(gy: Array, shape: tuple[int, ...]) -> Array:
    return gy.sum(axis=_axes(gy, shape)[1], keepdims=True)


def mean(gy: Array, shape: tuple[int, ...]) -> Array:
    added, ones = _axes(gy, shape)
    return gy.mean(axis=(*range(added), *ones), keepdims=True).reshape(shape)


def first(gy: Array, shape: tuple[int, ...]) -> Array:
    added, ones = _axes(gy, shape)
    return gy[tuple(slice(0, 1) if axis < added or axis in ones else slice(None) for axis in range(gy.ndim))].reshape(
        shape)


EXERCISE = Exercise(
    id="ex01", name="unbroadcast", title="Undo a broadcast", lesson="01, tensors, shapes, broadcasting",
    tasks=(Task(
        "unbroadcast", "unbroadcast", 10, "result", cases,
        mistakes=(
            Mistake("ones-not-summed", "Axes of length 1 were not summed.",
                    "The new leading axes are right. But an axis of length 1 can be repeated too: then it must also be "
                    "summed, and it must stay, with length 1.", only_new_axes),
            Mistake("leading-not-summed", "The new leading axes were not summed.",
                    "The axes of length 1 are right. But gy can have more axes than shape: NumPy adds new axes in "
                    "front. Compare gy.ndim with len(shape).", only_ones),
            Mistake("mean-for-sum", "The repeated numbers are averaged, but they must be added.",
                    "A number that was used n times changes the loss in n places, so its gradient is the sum of n "
                    "gradients, not their mean.", mean),
            Mistake("first-only", "Only the first of the repeated places is used.",
                    "Taking one index gives the right shape, but the gradients of the other places are lost. They all "
                    "count.", first),
        )),),
    hints=(
        "Write gy.shape and shape below each other, aligned on the right. Which axes differ?",
        "There are two groups of axes to sum over: the axes that shape does not have, and the axes where it has a 1.",
        "np.sum takes a tuple of axes. With keepdims=True no axis is lost, and you can reshape at the end.",
    ))
