"""Pooling: one number for every window of every channel of an image.  Windows as in ``unfold.py``."""

from minimixer.backend import Array, Module
from minimixer.ops.op import Op
from minimixer.ops.unfold import Pair, places, surroundings, windows

Shape = tuple[int, ...]


class Pooling(Op):
    """An op on windows.  x: (B, H, W, C)  y: (B, H', W', C)."""

    expects = "images (B, H, W, C) that are at least as large as the window, padding included"


class MaxPool(Pooling):
    """y = the largest pixel of a window; of several, the first in reading order gets the gradient.  NaN is largest."""

    @staticmethod
    def forward(xp: Module, x: Array, kernel_size: Pair, stride: Pair,
                padding: Pair) -> tuple[Array, tuple[Array, Shape, Pair, Pair, Pair]]:
        padded, inner = surroundings(xp, x.shape, padding, x.dtype)
        padded -= xp.inf                                                    # never the largest
        padded[inner] = x
        shape = (*windows(padded.shape, kernel_size, stride)[:3], x.shape[-1])
        y, winner = xp.zeros(shape, x.dtype), xp.zeros(shape, "int32")      # winner: its number in the window
        for i, window in places(padded.shape, kernel_size, stride):
            pixel = padded[window]                                          # (B, H', W', C)
            larger = (pixel > y) | (pixel != pixel) if i else xp.ones(shape, bool)
            y, winner = xp.where(larger, pixel, y), xp.where(larger, xp.int32(i), winner)
        return y, (winner, x.shape, kernel_size, stride, padding)

    @staticmethod
    def backward(xp: Module, gy: Array, winner: Array, shape: Shape, kernel_size: Pair, stride: Pair,
                 padding: Pair) -> Array:
        gpadded, inner = surroundings(xp, shape, padding, gy.dtype)
        for i, window in places(gpadded.shape, kernel_size, stride):
            gpadded[window] += xp.where(winner == i, gy, 0)
        return gpadded[inner]


class AvgPool(Pooling):
    """y = mean of the pixels of a window; the zeros around the image count."""

    @staticmethod
    def forward(xp: Module, x: Array, kernel_size: Pair, stride: Pair,
                padding: Pair) -> tuple[Array, tuple[Shape, Pair, Pair, Pair]]:
        padded, inner = surroundings(xp, x.shape, padding, x.dtype)
        padded[inner] = x
        *shape, pixels = windows(padded.shape, kernel_size, stride)
        y = xp.zeros((*shape, x.shape[-1]), x.dtype)
        for _, window in places(padded.shape, kernel_size, stride):
            y += padded[window]
        return y / pixels, (x.shape, kernel_size, stride, padding)

    @staticmethod
    def backward(xp: Module, gy: Array, shape: Shape, kernel_size: Pair, stride: Pair, padding: Pair) -> Array:
        gpadded, inner = surroundings(xp, shape, padding, gy.dtype)
        share = gy / (kernel_size[0] * kernel_size[1])
        for _, window in places(gpadded.shape, kernel_size, stride):
            gpadded[window] += share
        return gpadded[inner]
