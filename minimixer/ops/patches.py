from minimixer.backend import Array, Module
from minimixer.ops.op import Op


class Patches(Op):
    """Cut images into P x P patches, each flattened in (row, column, channel) order.

    x: (B, H, W, channels)  y: (B, S, P * P * channels), S = (H / P) * (W / P), patches in reading order.
    A Linear layer on y is a convolution of kernel and stride P on x.
    """

    @staticmethod
    def forward(xp: Module, x: Array, patch_size: int) -> tuple[Array, tuple[tuple[int, ...], int]]:
        b, h, w, channels = x.shape
        p = patch_size
        tiles = x.reshape(b, h // p, p, w // p, p, channels).swapaxes(2, 3)         # (B, H/P, W/P, P, P, channels)
        return tiles.reshape(b, (h // p) * (w // p), p * p * channels), (x.shape, p)

    @staticmethod
    def backward(xp: Module, gy: Array, shape: tuple[int, ...], p: int) -> Array:
        b, h, w, channels = shape
        tiles = gy.reshape(b, h // p, w // p, p, p, channels).swapaxes(2, 3)        # (B, H/P, P, W/P, P, channels)
        return tiles.reshape(shape)
