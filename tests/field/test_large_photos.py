"""Photos of 100 and 200 megapixels are read, in a bounded amount of memory; other formats have a stated limit."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from minimixer.data import DataError, images
from minimixer.data.images import read_image

MEASURE = """
import resource, sys
from pathlib import Path
from minimixer.data.images import read_image
import PIL.Image, PIL.ImageOps, PIL.JpegImagePlugin
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert read_image(Path(sys.argv[1]), 32, 3).shape == (32, 32, 3)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is in kilobytes there")
@pytest.mark.parametrize(("width", "height"), [(12_000, 9_000), (16_320, 12_240)])
def test_phone_photos_are_read_in_little_memory(width, height, tmp_path):
    Image.new("RGB", (width, height), (200, 100, 50)).save(tmp_path / "phone.jpg", quality=50)
    done = subprocess.run([sys.executable, "-W", "error", "-c", MEASURE, tmp_path / "phone.jpg"], capture_output=True,
                          text=True)
    assert done.stderr == ""
    assert int(done.stdout) < 64                                # MB; decoded whole, it would be 324 and 599


def test_a_reduced_photo_looks_like_the_whole_one(tmp_path, rng, monkeypatch):
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    coarse.resize((1600, 1200), Image.Resampling.BICUBIC).save(tmp_path / "a.jpg", exif=exif)
    whole = read_image(tmp_path / "a.jpg", 64, 3)
    for rule, levels in (("SPARINGLY", 6), ("QUICKLY", 2)):
        monkeypatch.setattr(images, "SPARINGLY", (1 << 25, 2))
        monkeypatch.setattr(images, rule, (0, getattr(images, rule)[1]))
        reduced = read_image(tmp_path / "a.jpg", 64, 3)
        assert not np.array_equal(reduced, whole)
        assert np.abs(reduced.astype(int) - whole).max() <= levels
    assert np.array_equal(read_image(tmp_path / "a.jpg", 1024, 3).shape, (1024, 1024, 3))


def test_no_image_size_makes_a_photo_exceed_the_limit(tmp_path, monkeypatch):
    Image.new("L", (800, 600), 128).save(tmp_path / "a.jpg")
    monkeypatch.setattr(images, "SPARINGLY", (100_000, 2))
    monkeypatch.setattr(images, "MOST_PIXELS", 200_000)
    assert (read_image(tmp_path / "a.jpg", 64, 1) == 128).all()
    with pytest.raises(DataError, match="claims more than 200,000 pixels, too many to decode safely"):
        read_image(tmp_path / "a.jpg", 600, 1)


@pytest.mark.parametrize(("name", "progressive", "limit"), [
    ("a.jpg", False, "400,000"), ("a.jpg", True, "200,000"), ("a.png", False, "100,000"), ("a.webp", False, "100,000")])
def test_every_format_has_a_limit_that_is_stated(name, progressive, limit, tmp_path, monkeypatch):
    Image.new("L", (800, 600), 128).save(tmp_path / name, progressive=progressive)
    monkeypatch.setattr(images, "LARGEST_JPEG", 400_000)
    monkeypatch.setattr(images, "MOST_PIXELS", 100_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=f"claims more than {limit} pixels, too many to decode safely: resize"):
            read_image(tmp_path / name, 64, 1)


def test_a_program_may_set_pillows_own_limit(tmp_path, monkeypatch):
    Image.new("L", (80, 60), 128).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert (read_image(tmp_path / "a.png", 64, 1) == 128).all()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="too many to decode safely"):
        read_image(tmp_path / "a.png", 64, 1)
