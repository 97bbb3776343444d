"""What the pixels of any image become: 8 bits per channel, gray or color, on white."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.data.dataset import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

# Pillow's name of the mode -> the modes it passes on the way to gray or color.  What is transparent ends in RGBA and is
# laid on white; 16-bit pixels become L first, by dividing by their white level.
BECOMES: dict[str, tuple[str, ...]] = {
    "1": (), "L": (), "P": (), "RGB": (), "CMYK": (), "YCbCr": (), "RGBX": ("RGB",),    # `convert` knows the rest
    "LAB": ("RGB",), "HSV": ("RGB",),
    "LA": ("RGBA",), "PA": ("RGBA",), "RGBA": (), "La": ("LA", "RGBA"), "RGBa": ("RGBA",),
    "I;16": ("L",), "I;16L": ("L",), "I;16B": ("L",), "I;16N": ("L",),
    "I": ("L",),                # 32-bit integers: only with a stated white level
    "F": (),                    # floats: refused, nothing says which number is white
}
BITS_PER_SAMPLE, PHOTOMETRIC, MAX_SAMPLE_VALUE, SMAX_SAMPLE_VALUE = 258, 262, 281, 341      # tags of TIFF
TWELVE_BITS = 4095
AT_ONCE = 256       # rows
REMEDY = "save it with 8 bits per channel"


def eight_bits(image: "Image", tags: Mapping[int, Any], name: str) -> "Image":
    """Reduce pixels of 16 or 32 bits to 8, by their white level; other images are returned as they are.

    Parameters
    ----------
    image : PIL.Image.Image
        Loaded, of any mode.
    tags : mapping
        Those of a TIFF file, by number; empty for other formats.
    name : str
        What errors call the file.

    Raises
    ------
    DataError
        If nothing says which value is white (floats, 32-bit integers, 12 bits in 16), or the mode is not known.
    """
    from PIL import Image

    if image.mode not in BECOMES:
        raise DataError(f"{name} has pixels of a kind that is not known here ({image.mode}): save it as PNG or JPEG")
    if image.mode == "F":
        raise DataError(f"{name} has 32-bit pixels and no defined white level: {REMEDY}")
    if not image.mode.startswith("I"):
        _check_high_bytes(image, tags, name)
        return image
    pixels = np.asarray(image)                                                              # (H, W)
    white = _white(image.mode, pixels, tags, name)
    gray = np.empty(pixels.shape, np.uint8)
    for rows in (slice(top, top + AT_ONCE) for top in range(0, len(pixels), AT_ONCE)):
        gray[rows] = pixels[rows].astype(np.int64) * 256 // (white + 1)     # of 16 bits, the 8 most significant ones
    if _tag(tags, PHOTOMETRIC) == 0:                        # white is zero
        gray = 255 - gray
    if isinstance(key := image.info.get("transparency"), int):              # the one value that means transparent
        gray[pixels == key] = 255
    return Image.fromarray(gray)


def on_white(image: "Image", mode: str) -> "Image":
    """Convert an image of ``eight_bits`` to "L" or "RGB", with transparent parts white."""
    from PIL import Image

    for between in BECOMES[image.mode]:
        image = image.convert(between)
    if not image.has_transparency_data:
        return image.convert(mode)
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert(mode)


def _white(mode: str, pixels: np.ndarray, tags: Mapping[int, Any], name: str) -> int:
    """The value of white, as the file or its format states it.  Raises DataError if neither does."""
    darkest, brightest = int(pixels.min()), int(pixels.max())
    bits, white = _tag(tags, BITS_PER_SAMPLE), _tag(tags, MAX_SAMPLE_VALUE) or _tag(tags, SMAX_SAMPLE_VALUE)
    if white is None and not tags:                          # PNG, PPM and JPEG 2000 fill all 16 bits
        white = 65535
    elif white is None and mode != "I":
        white = (1 << (bits or 16)) - 1
        if white == 65535 and 0 < brightest <= TWELVE_BITS:
            raise DataError(f"{name} has 16-bit pixels, none above {brightest:,}: it is almost black or holds fewer "
                            f"bits; state its white level in the tag MaxSampleValue, or {REMEDY}")
    if white is None:
        raise DataError(f"{name} has {bits or 32}-bit pixels and no defined white level: {REMEDY}")
    if darkest < 0 or brightest > white:
        raise DataError(f"{name} has pixels from {darkest:,} to {brightest:,} and no defined white level above them: "
                        f"{REMEDY}")
    return white


def _check_high_bytes(image: "Image", tags: Mapping[int, Any], name: str) -> None:
    """Refuse TIFF colors of 12 bits stored in 16: Pillow has kept their high bytes, which are almost black."""
    if _tag(tags, BITS_PER_SAMPLE) != 16 or image.mode not in ("RGB", "RGBA", "RGBX", "LA"):
        return
    brightest = max(np.asarray(image.getchannel(band)).max() for band in image.getbands() if band not in "AX")
    if _tag(tags, MAX_SAMPLE_VALUE) not in (None, 65535) or 0 < brightest <= TWELVE_BITS >> 8:
        raise DataError(f"{name} has 16-bit colors that do not fill their 16 bits: {REMEDY}")


def _tag(tags: Mapping[int, Any], number: int) -> int | None:
    """The largest value of a TIFF tag; None if it is missing or no number."""
    value = tags.get(number)
    values = value if isinstance(value, tuple) else (value,)
    return max((v for v in values if isinstance(v, int)), default=None)
