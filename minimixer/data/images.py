"""Read image files of any format that Pillow knows, and fit them to a model."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minimixer.backend import Array
from minimixer.data.dataset import DataError
from minimixer.files import printable

if TYPE_CHECKING:
    from PIL.Image import Image

MODES = {1: "L", 3: "RGB"}              # channels: Pillow's name of the mode


def read_image(path: Path, size: int, channels: int) -> Array:
    """Read one image and fit it to a model of square images.

    The image is rotated as its EXIF entry says, transparent parts become white, 16-bit channels become 8-bit, the
    central square is cropped, and Pillow's bicubic filter resizes it with antialiasing.  An image of the right size
    keeps its pixels.  If a file holds several images, the first is read.

    Parameters
    ----------
    path : Path
    size : int
        Side in pixels.
    channels : int
        3 for color, 1 for gray.

    Returns
    -------
    array of uint8, shape (size, size, channels)

    Raises
    ------
    DataError
        If the file is missing, is not an image, is damaged, or is too large to decode safely.
    """
    from PIL import Image, UnidentifiedImageError

    name = printable(path, None)
    if channels not in MODES:
        raise DataError(f"{name} cannot be fed to a model of {channels} channels: expected 1 or 3")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")         # about metadata that does not affect the pixels
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                upright = _eight_bits(_upright(image), name)
                side = min(upright.size)
                left, top = ((n - side) // 2 for n in upright.size)
                square = _on_white(upright.crop((left, top, left + side, top + side)), MODES[channels])
                if side != size:
                    square = square.resize((size, size), Image.Resampling.BICUBIC)
                return np.asarray(square, np.uint8).reshape(size, size, channels).copy()
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"there is no file {name}") from None
    except (IsADirectoryError, PermissionError):
        if path.is_dir():               # Windows has the same error for both
            raise DataError(f"{name} is a folder: name the images in it, such as {name}/*.png") from None
        raise DataError(f"{name} cannot be read: change its permissions") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataError(f"{name} claims more than {Image.MAX_IMAGE_PIXELS:,} pixels, too many to decode safely: "
                        "resize it first") from None
    except UnidentifiedImageError:
        raise DataError(f"{name} is not an image that Pillow can read: expected PNG, JPEG, GIF, BMP, TIFF, WebP "
                        "or another of its formats") from None
    except Exception as error:          # decoders raise almost anything on damaged bytes
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise DataError(f"{name} is a damaged image ({reason}): save or download it again") from error


def _upright(image: "Image") -> "Image":
    """Rotate as the EXIF entry says; ignore an unreadable entry, as image viewers do."""
    from PIL import ImageOps

    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _eight_bits(image: "Image", name: str) -> "Image":
    """Reduce 16-bit channels to their 8 most significant bits; Pillow itself would clip at 255."""
    from PIL import Image

    if not image.mode.startswith(("I", "F")):
        return image
    pixels = np.asarray(image)
    if image.mode == "F" or pixels.min() < 0 or pixels.max() > 65535:
        raise DataError(f"{name} has 32-bit pixels and no defined white level: save it with 8 or 16 bits per channel")
    return Image.fromarray((pixels >> 8).astype(np.uint8))


def _on_white(image: "Image", mode: str) -> "Image":
    """Convert to this mode, with transparent parts white."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert(mode)
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert(mode)
