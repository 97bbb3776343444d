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
    """Patches with the six axes in another order; None: not moved at all."""
    def forward(images: Array, patch_size: int) -> Any:
        b, h, w, channels = images.shape
        tiles = images.reshape(_split(images.shape, patch_size))
        tiles = tiles if order is None else tiles.transpose(order)
        s = (h // patch_size) * (w // patch_size)
        return tiles.reshape(b, s, patch_size**2 * channels), (images.shape, patch_size)
    return forward


def _join(order: tuple[int, ...] | None) -> Function:
    """The inverse for patches that were cut in another order."""
    def backward(gy: Array, shape: tuple[int, ...], p: int) -> Any:
        if order is None:
            return gy.reshape(shape)
        tiles = gy.reshape([_split(shape, p)[axis] for axis in order])
        return tiles.transpose(np.argsort(order)).reshape(shape)
    return backward


COLUMNS, PIXELS, CHANNELS = (0, 3, 1, 2, 4, 5), (0, 1, 3, 4, 2, 5), (0, 1, 3, 5, 2, 4)


def _mistakes(make: Function) -> tuple[Mistake, ...]:
    return (
        Mistake("axes-not-swapped", "The numbers are only reshaped; no axes are swapped.",
                "The shape is right, but each patch now holds pixels from one or two long rows of the image. After the "
                "first reshape, the axes of a patch's rows and columns are not next to each other: move them together.",
                make(None)),
        Mistake("column-order", "The patches are in column order.",
                "They must be in reading order: first all patches of the top row, from left to right.", make(COLUMNS)),
        Mistake("pixels-transposed", "Rows and columns are swapped within each patch.",
                "Within a patch, the order is (row, column, channel).", make(PIXELS)),
        Mistake("channels-first", "Within a patch, the channels come first.",
                "Within a patch, the order is (row, column, channel): the colors of a pixel stay "
                "together.", make(CHANNELS)),
    )


EXERCISE = Exercise(
    id="ex07", name="patches", title="Cut images into patches", lesson="07, patches",
    tasks=(
        Task("forward", "Patches.forward", 5, ("y", ("saved shape", "saved patch_size")),
             lambda: forward_cases(reference, INPUTS), mistakes=_mistakes(_cut)),
        Task("backward", "Patches.backward", 5, "gimages", lambda: backward_cases(reference, INPUTS), has_gradient=True,
             mistakes=_mistakes(_join)),
    ),
    hints=(
        "Try an image of 4 x 4 pixels with one channel, filled with np.arange(16), and P = 2. The first patch must be "
        "0, 1, 4, 5.",
        "Reshape to six axes: (B, patch row, row in the patch, patch column, column in the patch, channels).",
        "Which two of the six axes must be swapped so that 'which patch' comes before 'where in the patch'?",
        "Backward has the same steps in reverse order. Swapping two axes twice undoes it.",
    ))
