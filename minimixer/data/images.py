"""Read image files of the usual formats, and fit them to a model."""

import contextlib
import os
import threading
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from minimixer.backend import Array
from minimixer.data.dataset import DataError
from minimixer.data.file_kinds import FIRST, kind_of
from minimixer.data.pixels import eight_bits, on_white
from minimixer.files import FileRefusedError, check_regular
from minimixer.text import printable

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

MODES = {1: "L", 3: "RGB"}              # channels: Pillow's name of the mode
# Pillow reads more formats; one of them starts another program (EPS).  What it was not built with is left out.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "ICO", "PCX", "SGI")
NAMES = "PNG, JPEG, GIF, BMP, TIFF, WebP, AVIF, JPEG 2000 or PPM"
MOST_PIXELS = 89_478_485                # that are decoded at once, Pillow's own limit: 360 MB with 4 channels
# A JPEG with more pixels is decoded at 1/2, 1/4 or 1/8 of its size, but at no less than so many times the model's:
QUICKLY = 1 << 22, 4                    # five to ten times faster; pixels differ by 1 or 2 levels at most
SPARINGLY = 1 << 25, 2                  # so that photographs of 500 million pixels need little memory
LARGEST_JPEG = 500_000_000              # pixels; 250,000,000 if it is progressive, which holds all of it in memory
LARGEST_FILE = 1 << 30                  # bytes
LARGE = 1 << 24                         # pixels; of images with more, only one is decoded at a time
ALONE = threading.Lock()


def read_image(path: str | Path, size: int, channels: int) -> Array:
    """Read one image and fit it to a model of square images.

    The image is rotated as its EXIF entry says, transparent parts become white, 16-bit channels become 8-bit, the
    central square is cropped, and Pillow's bicubic filter resizes it with antialiasing.  An image of the right size
    keeps its pixels.  If a file holds several images, the first is read.  ``pixels.BECOMES`` is the table of what
    Pillow's modes become.

    A file may have up to 1 GiB, an image up to 89,478,485 pixels.  JPEGs may have 500 million (250 if they are
    progressive).  Large JPEGs are decoded at 1/2, 1/4 or 1/8 of their size: above 4 million pixels at no less than four
    times the model's, above 33 million at no less than twice the model's.

    Parameters
    ----------
    path : str or Path
        ``~`` is the home folder.
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
        If the file is missing, is not an image, is damaged, is too large to decode safely, or does not say which value
        of its pixels is white.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")             # about metadata that does not affect the pixels, and about size
        return read_in_thread(path, size, channels)


def read_in_thread(path: str | Path, size: int, channels: int) -> Array:
    """As ``read_image``, but Pillow's warnings are the caller's to ignore: a filter is one for all threads."""
    from PIL import Image, UnidentifiedImageError

    path = Path(os.path.expanduser(path))
    name = printable(path, None)
    if channels not in MODES:
        raise DataError(f"{name} cannot be fed to a model of {channels} channels: expected 1 or 3")
    try:
        with (_ordinary(path) as file, _opened(file, name, size) as image,
              ALONE if image.width * image.height > LARGE else contextlib.nullcontext()):
            upright = eight_bits(_upright(image), getattr(image, "tag_v2", {}), name)
            side = min(upright.size)
            left, top = ((n - side) // 2 for n in upright.size)
            square = on_white(upright.crop((left, top, left + side, top + side)), MODES[channels])
            if side != size:
                square = square.resize((size, size), Image.Resampling.BICUBIC)
            return np.asarray(square, np.uint8).reshape(size, size, channels).copy()
    except DataError:
        raise
    except FileRefusedError as error:
        raise DataError(str(error)) from None
    except FileNotFoundError:
        raise DataError(f"there is no file {name}") from None
    except (IsADirectoryError, PermissionError):
        if path.is_dir():               # Windows has the same error for both
            raise DataError(f"{name} is a folder: name the images in it, such as {name}/*.png") from None
        raise DataError(f"{name} cannot be read: change its permissions") from None
    except Image.DecompressionBombError:
        raise _too_many(name, MOST_PIXELS) from None
    except UnidentifiedImageError:
        raise DataError(_not_an_image(path, name)) from None
    except Exception as error:          # decoders raise almost anything on damaged bytes
        reason = printable(str(error).strip().rstrip(".") or type(error).__name__)
        raise DataError(f"{name} is a damaged image ({reason}): save or download it again") from error


def _ordinary(path: Path) -> IO[bytes]:
    """Open a file, but no pipe, device or file of absurd size: reading them would wait or fill the memory."""
    if path.is_dir():
        raise IsADirectoryError
    check_regular(path, LARGEST_FILE)
    return path.open("rb")


def _opened(file: IO[bytes], name: str, size: int) -> "Image":
    """The image in a file, not decoded yet; a large JPEG will be decoded at a fraction of its size."""
    from PIL import Image, JpegImagePlugin

    Image.init()
    if file.read(3) == b"\xff\xd8\xff":            # Image.open refuses sizes that are no burden in a reduced JPEG
        file.seek(0)
        image: ImageFile = JpegImagePlugin.jpeg_factory(file)
        pixels = image.width * image.height
        if pixels > (limit := LARGEST_JPEG // (2 if image.info.get("progressive") else 1)):
            raise _too_many(name, limit)
        margin = next((times for most, times in (SPARINGLY, QUICKLY) if pixels > most), None)
        if margin is not None:
            image.draft(None, (margin * size, margin * size))
    else:
        file.seek(0)
        image = Image.open(file, formats=formats())
    if image.width * image.height > MOST_PIXELS:
        raise _too_many(name, MOST_PIXELS)
    return image


def formats() -> list[str]:
    """Pillow's names of the formats that are read, and that it was built with."""
    from PIL import Image

    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _too_many(name: str, limit: int) -> DataError:
    return DataError(f"{name} claims more than {limit:,} pixels, too many to decode safely: resize it first"
                     + ("" if limit > MOST_PIXELS else ", or save it as JPEG, which is read in parts"))


def _not_an_image(path: Path, name: str) -> str:
    with path.open("rb") as file:
        first = file.read(FIRST)
    if not first:
        return f"{name} is not an image that Pillow can read, it is empty: download or copy it again"
    kind = kind_of(first)
    if kind is None:
        return f"{name} is not an image that Pillow can read: expected {NAMES}"
    return f"{name} is {kind[0]}: {kind[1]}"


def _upright(image: "Image") -> "Image":
    """Rotate as the EXIF entry says; ignore an unreadable entry, as image viewers do."""
    from PIL import ImageOps

    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image
