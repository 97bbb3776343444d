from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.cases import Inputs, backward_cases, forward_cases, normal
from minimixer.exercises.task import Exercise, Function, Mistake, Task
from minimixer.ops.patches import Patches


def _inputs(shape: tuple[int, int, int, int], patch_size: int) -> Inputs:
    return Inputs(normal(sum(shape), shape), (patch_size,),
                  dict(zip(("B", "H", "W", "channels"), shape, strict=True)) | {"P": patch_size})


INPUTS = [_inputs((2, 4, 6, 3), 2), _inputs((1, 6, 3, 2), 3), _inputs((3, 4, 4, 1), 2), _inputs((2, 4, 4, 2), 1),
          _inputs((2, 6, 6, 3), 2), _inputs((2, 8, 4, 3), 4), _inputs((1, 2, 2, 3), 2), _inputs((2, 6, 4, 1), 2),
          _inputs((3, 3, 6, 2), 3), _inputs((2, 2, 6, 2), 2)]


def reference(images: Array, patch_size: int) -> Any:
    return Patches.forward(np, images, patch_size)


ROLES = ("b", "i", "r", "j", "c", "k")      # image, row of patches, row in the patch, column of patches, ..., channel
RIGHT = "bijrck"


def _sizes(shape: Sequence[int], p: int, split: str) -> dict[str, int]:
    b, h, w, channels = shape
    if split == "nchw":
        b, channels, h, w = shape
    if split == "whc":
        b, w, h, channels = shape
    return {"b": b, "i": h // p, "r": p, "j": w // p, "c": p, "k": channels}


def forward(cut: str = "birjck", order: str = RIGHT, split: str = "bhwc", fill: Function | None = None) -> Function:
    """Patches with the axes cut and ordered in another way."""
    def changed(images: Array, patch_size: int) -> Any:
        n = _sizes(images.shape, patch_size, split)
        tiles = images.reshape([n[role] for role in cut]).transpose([cut.index(role) for role in order])
        y = tiles.reshape(n["b"], n["i"] * n["j"], -1)
        return y if fill is None else fill(y), (images.shape, patch_size)
    return changed


def backward(cut: str = "birjck", order: str = RIGHT, split: str = "bhwc", fill: Function | None = None) -> Function:
    """The inverse for patches that were cut in another way."""
    def changed(gy: Array, shape: tuple[int, ...], p: int) -> Any:
        n = _sizes(shape, p, split)
        tiles = gy.reshape([n[role] for role in order]).transpose([order.index(role) for role in cut])
        images = tiles.reshape(shape)
        return images if fill is None else fill(images)
    return changed


def _described(order: str) -> tuple[str, str, str] | None:
    """Id, title and text for an order of the axes."""
    place = {role: order.index(role) for role in ROLES}
    inside = "".join(role for role in order if role in "rck")
    if order[0] != "b":
        return None
    if set(order[1:3]) == {"i", "j"} and inside == "rck":
        return ("column-order", "The patches are in column order.",
                "They must be in reading order: first all patches of the top row, from left to right.")
    if set(order[1:3]) == {"i", "j"} and place["i"] < place["j"]:
        if inside == "crk":
            return ("pixels-transposed", "Rows and columns are swapped within each patch.",
                    "Within a patch, the order is (row, column, channel).")
        if inside[0] == "k":
            return ("channels-first", "Within a patch, the channels come first.",
                    "Within a patch, the order is (row, column, channel): the colors of a pixel stay together.")
        return ("channels-between", "Within a patch, the channels come before the columns.",
                "Within a patch, the order is (row, column, channel): the colors of a pixel stay together.")
    if set(order[1:3]) == {"i", "j"}:
        return ("column-order-and-pixels", "There are two mistakes: the patches are in column order, and the numbers "
                "within each patch are not in the order (row, column, channel).",
                "Write what each of the six axes means, before and after you move them.")
    return ("axes-mixed", "The axes of the patches and the axes within a patch are mixed up.",
            "The shape is right, but each patch holds pixels from several places. Of the six axes, the two that say "
            "which patch must come first, then the three that say where in the patch.")


def _orders() -> Iterator[Mistake]:
    yield Mistake("axes-not-swapped", "The numbers are only reshaped; no axes are swapped.",
                  "The shape is right, but each patch now holds pixels from one or two long rows of the image. After "
                  "the "
                  "first reshape, the axes of a patch's rows and columns are not next to each other: move them "
                  "together.",
                  change={"order": "birjck"})
    for order in map("".join, permutations(ROLES)):
        if order != RIGHT and order != "birjck" and (words := _described(order)):
            yield Mistake(*words, change={"order": order})
    for cut, which in (("bricjk", "rows and columns"), ("bri" + "jck", "rows"), ("birc" + "jk", "columns")):
        yield Mistake("every-nth-pixel", f"The axes of the {which} are split the wrong way around.",
                      "A patch is a block of neighbors. When an axis of length n P is split, the pixel within the "
                      "patch "
                      "changes fastest, so it comes last: first which patch, then where in it.", change={"cut": cut})
    yield Mistake("height-and-width-swapped", "Height and width are swapped.",
                  "The axes of the images are (B, H, W, channels). It shows where they are not square.",
                  change={"split": "whc"})
    yield Mistake("channels-as-axis-1", "The images are taken for (B, channels, H, W).",
                  "That is PyTorch's order. Here the channels are the last axis: (B, H, W, channels).",
                  change={"split": "nchw"})
    yield Mistake("channels-as-axis-1", "The images are taken for (B, channels, H, W).",
                  "That is PyTorch's order. Here the channels are the last axis: (B, H, W, channels).",
                  change={"split": "nchw", "cut": "bkirjc", "order": "bijrck"})
    yield Mistake("channels-as-axis-1", "The images are taken for (B, channels, H, W).",
                  "That is PyTorch's order. Here the channels are the last axis: (B, H, W, channels).",
                  change={"split": "nchw", "cut": "bkirjc", "order": "bijkrc"})


PATCHES_FIRST = Mistake(
    "patches-first", "The patches are on the first axis, the images on the second.",
    "A list of patches becomes an array whose first axis counts the patches. The first axis must be the images: stack "
    "along axis 1, or move the axis.", change={"fill": lambda y: y.swapaxes(0, 1)})
NO_BATCH = Mistake(
    "batch-lost", "The patches of all images are in one long row.",
    "The shape must be (B, S, P * P * channels): each image keeps its own axis.",
    change={"fill": lambda y: y.reshape(-1, y.shape[-1])})
GRID = Mistake(
    "grid-kept", "The rows and columns of patches are still two axes.",
    "The shape must be (B, S, P * P * channels): all S patches of an image are on one axis.",
    lambda images, p: (forward()(images, p)[0].reshape(len(images), images.shape[1] // p, images.shape[2] // p, -1),
                       (images.shape, p)))
SAVED = Mistake(
    "saved-other-shape", "The saved shape is not the shape of the images.",
    "backward needs the shape that it must give back: that of the images, (B, H, W, channels).",
    lambda images, p: (lambda y: (y, (y.shape, p)))(forward()(images, p)[0]))
SAVED_SIZES = Mistake(
    "saved-other-shape", SAVED.title, SAVED.text,
    lambda images, p: (forward()(images, p)[0], (images.shape[1:3], p)))
ONE_CHANNEL = tuple(Mistake(
    "channels-lost", "The channels are lost.", "Each patch holds all channels of its pixels: P * P * channels numbers.",
    lambda images, p, reduce=reduce: (forward()(reduce(images), p)[0], (images.shape, p)))
    for reduce in (lambda a: a[..., :1], lambda a: a.mean(-1, keepdims=True), lambda a: a[..., -1:]))


def overlapping(images: Array, p: int) -> Any:
    _, h, w, _ = images.shape
    found = [images[:, i:i + p, j:j + p].reshape(len(images), -1) for i in range(h // p) for j in range(w // p)]
    if len({patch.shape for patch in found}) > 1:
        raise ValueError("patches of different sizes")
    return np.stack(found, 1), (images.shape, p)


SQUARE = Mistake(
    "square-only", "The number of patches is the square of that of one side.",
    "Images need not be square: there are H / P patches from top to bottom and W / P from left to right.",
    lambda images, p: (forward()(images, p)[0].reshape(len(images), (images.shape[1] // p) ** 2,
                                                       p * p * images.shape[3]), (images.shape, p)))
SQUARE_W = Mistake(
    "square-only", SQUARE.title, SQUARE.text,
    lambda images, p: (forward()(images, p)[0].reshape(len(images), (images.shape[2] // p) ** 2,
                                                       p * p * images.shape[3]), (images.shape, p)))

EXERCISE = Exercise(
    id="ex07", name="patches", title="Cut images into patches", lesson="07, patches",
    tasks=(
        Task("forward", "Patches.forward", 5, ("y", ("saved shape", "saved patch_size")),
             lambda: forward_cases(reference, INPUTS), vary=forward, rows="one image of 4 x 4 pixels, P = 2",
             mistakes=(PATCHES_FIRST, NO_BATCH, GRID, SAVED, SAVED_SIZES, SQUARE, SQUARE_W, *ONE_CHANNEL,
                       Mistake("overlapping", "The patches overlap: each begins one pixel after the one before.",
                               "They lie side by side: the next begins P pixels further.", overlapping), *_orders())),
        Task("backward", "Patches.backward", 5, "gimages", lambda: backward_cases(reference, INPUTS), has_gradient=True,
             vary=backward, rows="one image of 4 x 4 pixels, P = 2", mistakes=tuple(_orders())),
    ),
    hints=(
        "Try an image of 4 x 4 pixels with one channel, filled with np.arange(16), and P = 2. The first patch must be "
        "0, 1, 4, 5.",
        "Reshape to six axes: (B, patch row, row in the patch, patch column, column in the patch, channels).",
        "Which two of the six axes must be swapped so that 'which patch' comes before 'where in the patch'?",
        "Backward has the same steps in reverse order. Swapping two axes twice undoes it.",
    ))
