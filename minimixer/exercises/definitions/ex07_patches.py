from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.task import Exercise, Function, Mistake, Task
from minimixer.ops.patches import Patches


def _inputs(shape: tuple[int, int, int, int], patch_size: int) -> Inputs:
    return Inputs(normal(sum(shape), shape), (patch_size,),
                  dict(zip(("B", "H", "W", "channels"), shape, strict=True)) | {"P": patch_size})


INPUTS = [_inputs((2, 4, 6, 3), 2), _inputs((1, 6, 3, 2), 3), _inputs((3, 4, 4, 1), 2), _inputs((2, 4, 4, 2), 1)]


def reference(images: Array, patch_size: int) -> Any:
    return Patches.forward(np, images, patch_size)


def _split(shape: tuple[int, ...], p: int) -> tuple[int, ...]:
    b, h, w, channels = shape
    return b, h // p, p, w // p, p, channels


def _cut(order: tuple[int, ...] | None) -> Function:
    """Patches with the six axes in another order; None: never moved."""
    def forward(images: Array, patch_size: int) -> Any:
        b, h, w, channels = images.shape
        tiles = images.reshape(_split(images.shape, patch_size))
        tiles = tiles if order is None else tiles.transpose(order)
        s = (h // patch_size) * (w // patch_size)
        return tiles.reshape(b, s, patch_size**2 * channels), (images.shape, patch_size)
    return forward


def _join(order: tuple[int, ...] | None) -> Function:
    """The way back, made for patches cut with another order."""
    def backward(gy: Array, shape: tuple[int, ...], p: int) -> Any:
        if order is None:
            return gy.reshape(shape)
        tiles = gy.reshape([_split(shape, p)[axis] for axis in order])
        return tiles.transpose(np.argsort(order)).reshape(shape)
    return backward


COLUMNS, PIXELS, CHANNELS = (0, 3, 1, 2, 4, 5), (0, 1, 3, 4, 2, 5), (0, 1, 3, 5, 2, 4)


def _mistakes(make: Function) -> tuple[Mistake, ...]:
    return (
        Mistake("axes-not-swapped", "The numbers are only reshaped; no axes change places.",
                "The shape is right, but a patch now holds pixels of one or two long rows of the picture. After the "
                "first "
                "reshape, the P rows of a patch are not neighbours in the order of the axes: bring them together.",
                make(None)),
        Mistake("column-order", "The patches are in the order of columns.",
                "They must be in reading order: first all patches of the top row, from left to right.", make(COLUMNS)),
        Mistake("pixels-transposed", "Rows and columns are swapped within each patch.",
                "In a patch the order is (row, column, channel).", make(PIXELS)),
        Mistake("channels-first", "Within a patch, the channels come first.",
                "In a patch the order is (row, column, channel): the colours of one pixel stay "
                "together.", make(CHANNELS)),
    )


EXERCISE = Exercise(
    id="ex07", name="patches", title="Cut pictures into patches", lesson="07, patches",
    tasks=(
        Task("forward", "Patches.forward", 5, ("y", ("saved shape", "saved patch_size")),
             lambda: forward_cases(reference, INPUTS), mistakes=_mistakes(_cut)),
        Task("backward", "Patches.backward", 5, "gimages", lambda: backward_cases(reference, INPUTS), has_gradient=True,
             mistakes=_mistakes(_join)),
    ),
    hints=(
        "Try it with a picture of 4 x 4 pixels, one channel, filled with np.arange(16), and P = 2. The first patch "
        "must be 0, 1, 4, 5.",
        "reshape to six axes: (B, which patch row, row in the patch, which patch column, column in the patch, "
        "channels).",
        "Which two of the six axes have to change places, so that 'which patch' stands before 'where in the patch'?",
        "Backward has the same steps in the opposite order. Swapping two axes undoes itself.",
    ))
