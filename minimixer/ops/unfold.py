from collections.abc import Iterator
from typing import TypeAlias

from minimixer.backend import Array, Module
from minimixer.ops.op import Op

Pair: TypeAlias = tuple[int, int]       # of rows and of columns


class Unfold(Op):
    """All KH x KW windows of an image, ``stride`` pixels apart, each flattened in (row, column, channel) order.

    x: (B, H, W, C)  y: (B, H', W', KH * KW * C), H' = (H + 2 * padding - KH) // stride + 1, W' likewise.  The image is
    padded by zeros, ``padding`` rows above and below and columns on each side.  A Linear layer on y is a convolution.
    """

    expects = "images (B, H, W, C) that are at least as large as the kernel, padding included"

    @staticmethod
    def forward(xp: Module, x: Array, kernel_size: Pair, stride: Pair,
                padding: Pair) -> tuple[Array, tuple[tuple[int, ...], Pair, Pair, Pair]]:
        above, beside = padding
        padded = xp.pad(x, ((0, 0), (above, above), (beside, beside), (0, 0)))
        b, rows, columns, pixels = windows(padded.shape, kernel_size, stride)
        y = xp.empty((b, rows, columns, pixels, x.shape[-1]), x.dtype)
        for i, window in places(padded.shape, kernel_size, stride):
            y[:, :, :, i] = padded[window]                              # (B, H', W', C)  the i-th pixel of every window
        return y.reshape(b, rows, columns, pixels * x.shape[-1]), (x.shape, kernel_size, stride, padding)

    @staticmethod
    def backward(xp: Module, gy: Array, shape: tuple[int, ...], kernel_size: Pair, stride: Pair,
                 padding: Pair) -> Array:
        gpadded, inner = surroundings(xp, shape, padding, gy.dtype)
        gy = gy.reshape(*windows(gpadded.shape, kernel_size, stride), shape[-1])        # (B, H', W', KH * KW, C)
        for i, window in places(gpadded.shape, kernel_size, stride):
            gpadded[window] += gy[:, :, :, i]                           # a pixel was read by up to KH * KW windows
        return gpadded[inner]


def surroundings(xp: Module, shape: tuple[int, ...], padding: Pair, dtype: type) -> tuple[Array, tuple[slice, ...]]:
    """Zeros for images of a shape with their padding, and where in it the images are."""
    (b, h, w, c), (above, beside) = shape, padding
    return (xp.zeros((b, h + 2 * above, w + 2 * beside, c), dtype),
            (slice(None), slice(above, above + h), slice(beside, beside + w)))


def windows(shape: tuple[int, ...], kernel_size: Pair, stride: Pair) -> tuple[int, int, int, int]:
    """(B, H', W', KH * KW): how many windows padded images have, and how many pixels a window has."""
    rows, columns = ((n - k) // s + 1 for n, k, s in zip(shape[1:3], kernel_size, stride, strict=True))
    return shape[0], rows, columns, kernel_size[0] * kernel_size[1]


def places(shape: tuple[int, ...], kernel_size: Pair, stride: Pair) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Where the first pixel of every window is, then where the second is, ...: its number and an index (B, H', W')."""
    _, rows, columns, pixels = windows(shape, kernel_size, stride)
    down, right = stride
    for i in range(pixels):
        row, column = divmod(i, kernel_size[1])
        yield i, (slice(None), slice(row, row + (rows - 1) * down + 1, down),
                  slice(column, column + (columns - 1) * right + 1, right))
