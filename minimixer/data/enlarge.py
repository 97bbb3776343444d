import numpy as np

from minimixer.backend import Array, array_module, device_of, to_device

BITS = 12           # precision of the weights: parts of 2^12


def enlarge(images: Array, side: int) -> Array:
    """Enlarge square images by bilinear interpolation, first along rows, then along columns.

    Integer arithmetic gives the same pixels on every device; they differ from Pillow's by at most one level.  Pixels
    are squares, and the border is extended.

    Parameters
    ----------
    images : array of uint8, shape (B, n, n, channels)
    side : int
        Of the new images, in pixels, at least n.

    Returns
    -------
    array of uint8, shape (B, side, side, channels)

    Raises
    ------
    ValueError
        If the images are not square, or larger than ``side``: shrinking would need antialiasing.
    """
    n = images.shape[1]
    if images.shape[2] != n:
        raise ValueError(f"images of {n} x {images.shape[2]} pixels cannot be enlarged: expected square images")
    if n >= side:
        if n > side:
            raise ValueError(f"images of {n} pixels cannot be enlarged to {side}")
        return images
    xp, device = array_module(images), device_of(images).name
    center = (np.arange(side) + 0.5) * n / side - 0.5                           # (side,)  in the old image
    low = np.floor(center).astype(np.int64)
    share = to_device(np.rint((center - low) * (1 << BITS)).astype(np.uint32), device)      # (side,)  of the pixel
    before, after = (to_device(np.clip(i, 0, n - 1), device) for i in (low, low + 1))       # after `low`
    for axis in (1, 2):
        shape = [1, 1, 1, 1]
        shape[axis] = side
        weight = share.reshape(shape)                                           # (1, side, 1, 1) or (1, 1, side, 1)
        mixed = images.take(before, axis) * ((1 << BITS) - weight) + images.take(after, axis) * weight
        images = ((mixed + (1 << BITS - 1)) >> BITS).astype(xp.uint8)           # (B, side, n, c), (B, side, side, c)
    return images
