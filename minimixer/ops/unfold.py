from collections.abc import Iterator

from minimixer.backend import Array, Module
from minimixer.ops.op import Op


class Unfold(Op):
    """All K x K windows of an image, ``stride`` pixels apart, each flattened in (row, column, channel) order.

    x: (B, H, W, C)  y: (B, H', W', K * K * C), H' = (H + 2 * padding - K) // stride + 1, W' likewise.  The image is
    padded by ``padding`` zeros on each side.  A Linear layer on y is a convolution of kernel K on x.
    """

    expects = "images (B, H, W, C) that are at least as large as the kernel, padding included"

    @staticmethod
    def forward(xp: Module, x: Array, kernel_size: int, stride: int,
                padding: int) -> tuple[Array, tuple[tuple[int, ...], int, int, int]]:
        k = kernel_size
        padded = xp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        b, h, w, c = padded.shape
        y = xp.empty((b, (h - k) // stride + 1, (w - k) // stride + 1, k * k, c), x.dtype)
        for i, window in places(padded.shape, k, stride):
            y[:, :, :, i] = padded[window]                              # (B, H', W', C)  the i-th pixel of every window
        return y.reshape(*y.shape[:3], k * k * c), (x.shape, k, stride, padding)

    @staticmethod
    def backward(xp: Module, gy: Array, shape: tuple[int, ...], k: int, stride: int, padding: int) -> Array:
        b, h, w, c = shape
        gpadded = xp.zeros((b, h + 2 * padding, w + 2 * padding, c), gy.dtype)
        gy = gy.reshape(*gy.shape[:3], k * k, c)                        # (B, H', W', K * K, C)
        for i, window in places(gpadded.shape, k, stride):
            gpadded[window] += gy[:, :, :, i]                           # a pixel was read by up to K * K windows
        return gpadded[:, padding:padding + h, padding:padding + w]


def places(shape: tuple[int, ...], k: int, stride: int) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Where the first pixel of every window is, then where the second is, ...: its number and an index (B, H', W')."""
    rows, columns = ((n - k) // stride * stride + 1 for n in shape[1:3])
    for i in range(k * k):
        row, column = divmod(i, k)
        yield i, (slice(None), slice(row, row + rows, stride), slice(column, column + columns, stride))
