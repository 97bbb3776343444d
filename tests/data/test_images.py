import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minimixer.data import DataError
from minimixer.data.images import read_image

GRAY = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


@pytest.fixture
def write(tmp_path):
    def write(image, name="image.png", **options):
        image.save(tmp_path / name, **options)
        return tmp_path / name
    return write


def test_an_image_of_the_right_size_keeps_its_pixels(write, rng):
    pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
    for name in ("a.png", "a.bmp", "a.tiff", "a.ppm"):
        assert np.array_equal(read_image(write(Image.fromarray(pixels), name), 32, 3), pixels), name
    assert np.array_equal(read_image(write(Image.fromarray(GRAY)), 8, 1)[..., 0], GRAY)


def test_an_image_is_cut_to_the_square_in_its_middle(write):
    wide = np.zeros((8, 20, 3), np.uint8)
    wide[:, 6:14] = 200
    assert (read_image(write(Image.fromarray(wide)), 8, 3) == 200).all()
    assert (read_image(write(Image.fromarray(np.ascontiguousarray(wide.swapaxes(0, 1)))), 8, 3) == 200).all()


def test_a_large_image_is_averaged_not_sampled(write):
    checks = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    small = read_image(write(Image.fromarray(checks)), 8, 1)
    assert np.abs(small.astype(int) - 127).max() <= 2


def test_a_gray_image_is_shown_to_a_model_of_colors_and_the_other_way(write):
    assert np.array_equal(read_image(write(Image.fromarray(GRAY)), 8, 3), np.dstack([GRAY] * 3))
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert (read_image(write(Image.fromarray(red)), 8, 1) == 76).all()          # ITU-R 601: 0.299 of 255


def test_jpeg_is_turned_upright(write):
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = 255                                            # white above
    exif = Image.Exif()
    exif[0x0112] = 6                                            # the camera was held upright: turn it clockwise
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(pixels)))
    upright = read_image(write(stored, "a.jpg", exif=exif, quality=100), 16, 3)
    assert np.abs(upright.astype(int) - pixels).max() < 8
    assert np.abs(read_image(write(stored, "b.jpg", quality=100), 16, 3).astype(int) - pixels).max() > 100


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode, write):
    rgba = np.zeros((8, 8, 4), np.uint8)                        # black; half of it transparent
    rgba[:, 4:, 3] = 255
    image = Image.fromarray(rgba)
    path = write(image.quantize() if mode == "P" else image.convert(mode))
    expected = np.where(np.arange(8) < 4, 255, 0)
    assert (read_image(path, 8, 1)[..., 0] == expected).all()
    assert (read_image(path, 8, 3) == expected[:, None]).all()


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_sixteen_bits_become_the_eight_most_significant(name, write):
    path = write(Image.fromarray(GRAY.astype(np.uint16) * 257), name)
    assert np.array_equal(read_image(path, 8, 1)[..., 0], GRAY)


def test_other_kinds_of_pixels(write):
    assert (read_image(write(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "a.tiff"), 8, 3) == [255, 0, 0]).all()
    assert (read_image(write(Image.new("1", (8, 8), 1)), 8, 1) == 255).all()
    assert np.array_equal(read_image(write(Image.fromarray(GRAY), "a.gif"), 8, 1)[..., 0], GRAY)
    with pytest.raises(DataError, match="32-bit pixels and no defined white"):
        read_image(write(Image.fromarray(np.ones((8, 8), np.float32)), "a.tiff"), 8, 1)
    with pytest.raises(DataError, match="4 channels: expected 1 or 3"):
        read_image(write(Image.fromarray(GRAY)), 8, 4)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb():
    """A PNG that says it has 3.6 thousand million pixels, in a hundred bytes."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(9))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


BIG = np.kron(GRAY, np.ones((9, 9), np.uint8))


def encoded(name, pixels=GRAY):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, name)
    return file.getvalue()


@pytest.mark.parametrize(("content", "message"), [
    (b"not an image", "is not an image that Pillow can read: expected PNG, JPEG"),
    (b"", "is not an image that Pillow can read"),
    (encoded("png", BIG)[:90], "is a damaged image .*: save or download it again"),
    (encoded("jpeg", BIG)[:-400], "is a damaged image .*truncated"),
    (bomb(), "claims more than 89,478,485 pixels, too many to decode safely"),
])
def test_damaged_files_get_one_sentence(content, message, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_image(tmp_path / "file", 8, 1)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_get_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*nothing\.png"):
        read_image(tmp_path / "nothing.png", 8, 1)
    with pytest.raises(DataError, match="is a folder: name the images in it"):
        read_image(tmp_path, 8, 1)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "file"


@given(kind=st.sampled_from(["png", "jpeg", "gif", "bmp", "tiff", "webp"]), data=st.data())
def test_bytes_that_flip_give_an_image_or_a_sentence(kind, data, scratch):
    content = bytearray(encoded(kind))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    scratch.write_bytes(content)
    try:
        image = read_image(scratch, 8, 1)
    except DataError:
        return
    assert image.shape == (8, 8, 1)
    assert image.dtype == np.uint8
