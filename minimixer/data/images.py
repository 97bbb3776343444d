"""Pictures from files of any kind that Pillow reads, made to fit a model."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minimixer.backend import Array
from minimixer.data.dataset import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

MODES = {1: "L", 3: "RGB"}              # colours of a pixel: Pillow's name for them


def printable(path: Path) -> str:
    """The name of a file, without the bytes that no terminal can show."""
    return str(path).encode(errors="replace").decode()


def read_image(path: Path, size: int, channels: int) -> Array:
    """One picture, as a model with square pictures of this size wants it.

    It is turned upright as its EXIF entry says, laid on white where it is transparent, brought to 8 bits a colour,
    cut to the square in its middle, and resized with Pillow's bicubic filter, which averages over as many pixels as
    fall on one (antialiasing).  A picture of the right size keeps its pixels.  Of a file with several, the first.

    Parameters
    ----------
    path : Path
    size : int
        Side in pixels.
    channels : int
        3 for colour, 1 for grey.

    Returns
    -------
    array of uint8, shape (size, size, channels)

    Raises
    ------
    DataError
        If the file is missing, is no picture, is damaged, or is too large to unpack.
    """
    from PIL import Image, UnidentifiedImageError

    name = printable(path)
    if channels not in MODES:
        raise DataError(f"{name} cannot be shown to a model of {channels} colours a pixel: expected 1 or 3")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")         # of odd entries that do not touch the pixels
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
            raise DataError(f"{name} is a folder: name the pictures in it, such as {name}/*.png") from None
        raise DataError(f"{name} may not be read: change its permissions") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataError(f"{name} claims more than {Image.MAX_IMAGE_PIXELS:,} pixels, too many to unpack safely: make "
                        "it smaller first") from None
    except UnidentifiedImageError:
        raise DataError(f"{name} is not a picture that Pillow knows: expected PNG, JPEG, GIF, BMP, TIFF, WebP or "
                        "another of its kinds") from None
    except Exception as error:          # a decoder that meets damaged bytes raises nearly anything
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise DataError(f"{name} is a damaged picture ({reason}): save or fetch it again") from error


def _upright(image: "Image") -> "Image":
    """Turned as its EXIF entry says; an entry that cannot be read is passed over, as viewers do."""
    from PIL import ImageOps

    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _eight_bits(image: "Image", name: str) -> "Image":
    """16 bits a pixel become the 8 most significant; Pillow itself would clip them at 255."""
    from PIL import Image

    if not image.mode.startswith(("I", "F")):
        return image
    pixels = np.asarray(image)
    if image.mode == "F" or pixels.min() < 0 or pixels.max() > 65535:
        raise DataError(f"{name} holds numbers of 32 bits without a stated white: save it with 8 or 16 bits a colour")
    return Image.fromarray((pixels >> 8).astype(np.uint8))


def _on_white(image: "Image", mode: str) -> "Image":
    """In this mode, transparent parts white."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert(mode)
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert(mode)
