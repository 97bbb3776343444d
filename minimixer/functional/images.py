"""Images cut into patches and windows."""

from minimixer.ops.patches import Patches
from minimixer.ops.unfold import Unfold
from minimixer.tensor import Tensor, apply


def patches(images: Tensor, patch_size: int) -> Tensor:
    """Cut images into square patches, flattened in (row, column, channel) order.

    Parameters
    ----------
    images : Tensor, shape (B, H, W, channels)
    patch_size : int
        P, in pixels.

    Returns
    -------
    Tensor, shape (B, S, P * P * channels)
        S = (H / P) * (W / P) patches in reading order.

    Raises
    ------
    ValueError
        If P does not divide H and W.
    """
    if images.ndim != 4:
        raise ValueError(f"patches: images have shape {images.shape}, expected (B, H, W, channels)")
    _, height, width, _ = images.shape
    if patch_size < 1 or height % patch_size or width % patch_size:
        raise ValueError(f"patches: images of {height} x {width} pixels cannot be cut into patches of {patch_size} x "
                         f"{patch_size}: change patch_size to a number that divides both, or resize the images")
    return apply(Patches, images, patch_size=patch_size)


def unfold(images: Tensor, kernel_size: int, stride: int = 1, padding: int = 0) -> Tensor:
    """All square windows of images, flattened in (row, column, channel) order.

    Parameters
    ----------
    images : Tensor, shape (B, H, W, C)
    kernel_size : int
        K, side of a window in pixels.
    stride : int
        Pixels from one window to the next.
    padding : int
        Zeros added on every side.

    Returns
    -------
    Tensor, shape (B, H', W', K * K * C)
        H' = (H + 2 * padding - K) // stride + 1, and W' likewise.

    Raises
    ------
    ValueError
        If a number is out of range, or the padded image is smaller than a window.
    """
    if images.ndim != 4:
        raise ValueError(f"unfold: images have shape {images.shape}, expected (B, H, W, C)")
    if kernel_size < 1 or stride < 1 or padding < 0:
        raise ValueError(f"unfold: kernel_size is {kernel_size}, stride {stride}, padding {padding}, expected numbers "
                         "from 1, 1 and 0")
    if min(images.shape[1:3]) + 2 * padding < kernel_size:
        raise ValueError(f"unfold: windows of {kernel_size} x {kernel_size} are larger than images of "
                         f"{images.shape[1]} x {images.shape[2]} with {padding} pixels around them")
    return apply(Unfold, images, kernel_size=kernel_size, stride=stride, padding=padding)
