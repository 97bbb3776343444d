"""Images of every mode and depth: they come out as they look, or are refused; none becomes black in silence."""

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from minimixer.data import DataError
from minimixer.data.images import read_image
from minimixer.data.pixels import BECOMES, eight_bits, on_white

RAMP = np.arange(64, dtype=np.int64).reshape(8, 8)


def tiff(path, pixels, **tags):
    """Write a TIFF with more tags, given by name."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    numbers = {"max_sample": 281, "smax_sample": 341, "photometric": 262}
    for name, value in tags.items():
        info.tagtype[numbers[name]] = 4 if name == "smax_sample" else 3
        info[numbers[name]] = value
    Image.fromarray(pixels).save(path, tiffinfo=info)
    return path


def tiff_of_three_samples(path, pixels):
    """A TIFF of 16-bit colors, which Pillow reads but does not write."""
    h, w, _ = pixels.shape
    body = pixels.astype("<u2").tobytes()
    entries = [(256, 3, 1, w), (257, 3, 1, h), (258, 3, 3, 8 + len(body)), (259, 3, 1, 1), (262, 3, 1, 2),
               (273, 4, 1, 8), (277, 3, 1, 3), (278, 3, 1, h), (279, 4, 1, len(body)), (284, 3, 1, 1)]
    directory = len(entries).to_bytes(2, "little") + b"".join(
        tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + count.to_bytes(4, "little")
        + value.to_bytes(4, "little") for tag, kind, count, value in entries) + bytes(4)
    bits = np.array([16, 16, 16], "<u2").tobytes()
    start = 8 + len(body) + len(bits)
    path.write_bytes(b"II*\0" + start.to_bytes(4, "little") + body + bits + directory)
    return path


# What stands for light gray or pure red in each mode, and the color that it must become.
IN_EACH_MODE = {
    "1": (1, 255), "L": (200, 200), "P": (7, (210, 30, 60)), "RGB": ((210, 30, 60),) * 2,
    "RGBX": ((210, 30, 60, 0), (210, 30, 60)), "CMYK": ((0, 255, 255, 0), (255, 0, 0)),
    "YCbCr": ((76, 85, 255), (254, 0, 0)), "HSV": ((0, 255, 255), (255, 0, 0)), "LAB": ((137, 208, 195), (251, 3, 9)),
    "LA": ((100, 0), 255), "PA": ((7, 255), (210, 30, 60)), "RGBA": ((210, 30, 60, 0), 255),
    "La": ((0, 0), 255), "RGBa": ((0, 0, 0, 0), 255),
    "I;16": (200 * 257, 200), "I;16L": (200 * 257, 200), "I;16B": (200 * 257, 200), "I;16N": (200 * 257, 200),
    "I": (200 * 257, 200),
}


def image_of(mode, value):
    image = Image.new(mode, (4, 4), value)
    if mode in ("P", "PA"):
        image.putpalette([210, 30, 60] * 256)
    return image


def test_the_table_has_every_mode_of_pillow():
    assert set(Image.MODES) <= set(BECOMES)
    assert set(IN_EACH_MODE) | {"F"} == set(BECOMES)


@pytest.mark.parametrize("mode", IN_EACH_MODE)
def test_every_mode_becomes_what_the_table_says(mode):
    value, color = IN_EACH_MODE[mode]
    try:
        image = image_of(mode, value)
    except (ValueError, OSError):
        pytest.skip(f"this Pillow makes no image of mode {mode}")
    shown = np.asarray(on_white(eight_bits(image, {}, "x"), "RGB"))
    assert shown.shape == (4, 4, 3)
    assert np.abs(shown.astype(int) - color).max() <= 4
    gray = np.asarray(on_white(eight_bits(image, {}, "x"), "L"))
    expected = np.dot(np.broadcast_to(color, 3), (0.299, 0.587, 0.114))
    assert gray.shape == (4, 4)
    assert np.abs(gray - expected).max() <= 4


def test_a_mode_that_nobody_knows_is_refused():
    image = Image.new("L", (4, 4))
    image._mode = "XYZ"
    with pytest.raises(DataError, match="x has pixels of a kind that is not known here"):
        eight_bits(image, {}, "x")


@pytest.mark.parametrize("pixels", [RAMP * 1000, RAMP * 4, -RAMP, RAMP * 60_000])
def test_integers_of_32_bits_without_a_white_level_are_refused(pixels, tmp_path):
    with pytest.raises(DataError, match="no defined white level: save it with 8 bits"):
        read_image(tiff(tmp_path / "a.tif", pixels.astype(np.int32)), 8, 1)


def test_integers_of_32_bits_are_scaled_by_a_stated_white_level(tmp_path):
    path = tiff(tmp_path / "a.tif", (RAMP * 10_000).astype(np.int32), smax_sample=630_000)
    assert np.abs(read_image(path, 8, 1)[..., 0] - RAMP * 255 / 63).max() <= 1.1


def test_twelve_bits_in_sixteen_are_scaled_by_a_stated_white_level_and_refused_without(tmp_path):
    pixels = (RAMP * 65).astype(np.uint16)                      # up to 4,095
    with pytest.raises(DataError, match=r"none above 4,095.*state its white level in the tag MaxSampleValue, or save"):
        read_image(tiff(tmp_path / "a.tif", pixels), 8, 1)
    shown = read_image(tiff(tmp_path / "b.tif", pixels, max_sample=4095), 8, 1)[..., 0]
    assert np.array_equal(shown, pixels >> 4)
    with pytest.raises(DataError, match="pixels from 0 to 4,095 and no defined white level above them"):
        read_image(tiff(tmp_path / "c.tif", pixels, max_sample=1000), 8, 1)


def test_sixteen_bits_that_are_used_stay_as_they_were(tmp_path):
    pixels = (RAMP * 1040).astype(np.uint16)
    for path in (tiff(tmp_path / "a.tif", pixels), tiff(tmp_path / "b.png", pixels)):
        assert np.array_equal(read_image(path, 8, 1)[..., 0], pixels >> 8)
    Image.fromarray((RAMP * 10).astype(np.uint16)).save(tmp_path / "dark.png")      # PNG defines white as 65,535
    assert np.array_equal(read_image(tmp_path / "dark.png", 8, 1)[..., 0], RAMP * 10 >> 8)
    assert not read_image(tiff(tmp_path / "black.tif", pixels * 0), 8, 1).any()


def test_where_white_is_zero_sixteen_bits_are_turned_around(tmp_path):
    path = tiff(tmp_path / "a.tif", (RAMP * 1040).astype(np.uint16))
    content = path.read_bytes()
    entry = (262).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little")
    assert content.count(entry + b"\1\0") == 1
    path.write_bytes(content.replace(entry + b"\1\0", entry + b"\0\0"))
    assert np.array_equal(read_image(path, 8, 1)[..., 0], 255 - (RAMP * 1040 >> 8))


def test_colors_of_twelve_bits_in_sixteen_are_refused(tmp_path):
    pixels = np.dstack([RAMP * 65] * 3)
    with pytest.raises(DataError, match="16-bit colors that do not fill their 16 bits"):
        read_image(tiff_of_three_samples(tmp_path / "a.tif", pixels), 8, 3)
    path = tiff_of_three_samples(tmp_path / "b.tif", pixels * 16)
    assert np.array_equal(read_image(path, 8, 3), pixels * 16 >> 8)


def test_the_transparent_value_of_a_gray_png_of_16_bits_is_white(tmp_path):
    pixels = np.full((8, 8), 20_000, np.uint16)
    pixels[:, 4:] = 30_000
    Image.fromarray(pixels).save(tmp_path / "a.png", transparency=30_000)
    assert np.array_equal(read_image(tmp_path / "a.png", 8, 1)[0, :, 0], [78] * 4 + [255] * 4)
