"""Grow the weights of a Mixer to larger images."""

import numpy as np

from minimixer.backend import Array


def part_order(side: int, k: int) -> Array:
    """Positions, in the whole image's reading order, of the patches of part 0, part 1, ...; shape (k^2 side^2,).

    The image of (k side) x (k side) patches is cut into k x k parts of side x side patches each.
    """
    whole = np.arange((k * side) ** 2).reshape(k, side, k, side)        # part row, row in it, part column, column in it
    return whole.swapaxes(1, 2).reshape(-1)                             # (k^2 side^2,)


def grow(array: Array, shape: tuple[str, ...], side: int, k: int) -> Array:
    """Grow an array of a Mixer to k times the image size with the same patch size (appendix C of the paper).

    Only token mixing depends on the number of patches; every other array stays the same.

    The new MLP processes each of k x k parts of the image separately, as the old one processed the whole image.  In the
    order of the parts, W' is block-diagonal with k^2 copies of W, and b' is k^2 copies of b::

        W1' = diag(W1, ..., W1)  (k^2 S, k^2 D_S)       b1' = (b1, ..., b1)  (k^2 D_S,)
        W2' = diag(W2, ..., W2)  (k^2 D_S, k^2 S)       b2' = (b2, ..., b2)  (k^2 S,)

    The axes of length k^2 S are then permuted to the reading order of the whole image.

    Parameters
    ----------
    array : array
        W1 (S, D_S), b1 (D_S,), W2 (D_S, S) or b2 (S,), with S = side^2, or one without these axes.
    shape : tuple of str
        The letters of its axes.
    side : int
        Patches per side of the old image.
    k : int
    """
    if k == 1 or not {"S", "D_S"} & set(shape):
        return array
    copies = np.arange(k * k)
    if array.ndim == 2:
        n, m = array.shape
        grown = np.zeros((k * k, n, k * k, m), array.dtype)
        grown[copies, :, copies, :] = array                             # the blocks on the diagonal
        grown = grown.reshape(k * k * n, k * k * m)
    else:
        grown = np.tile(array, k * k)
    back = np.argsort(part_order(side, k))
    for axis, letter in enumerate(shape):
        if letter == "S":
            grown = grown.take(back, axis)
    return grown
