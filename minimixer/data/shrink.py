import numpy as np

from minimixer.backend import Array


def shrink(images: Array, side: int) -> Array:
    """Reduce square images with Pillow's bicubic filter and antialiasing, as ``read_image`` does.

    Parameters
    ----------
    images : array of uint8, shape (N, n, n, channels)
    side : int
        At most n.

    Returns
    -------
    array of uint8, shape (N, side, side, channels)
    """
    from PIL import Image

    out = np.empty((len(images), side, side, images.shape[-1]), np.uint8)
    for i, image in enumerate(images):
        for channel in range(images.shape[-1]):
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
            out[i, ..., channel] = plane.resize((side, side), Image.Resampling.BICUBIC)
    return out
