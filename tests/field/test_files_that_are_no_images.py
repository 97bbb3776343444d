"""Whatever is given in place of an image is named as what it is, by its first bytes; no other program is started."""

import io
import os
import socket
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from minimixer.data import DataError
from minimixer.data.images import FORMATS, read_image
from tests.support.commands import predict


def box(kind, brand, *brands):
    content = kind + brand + bytes(4) + b"".join(brands)
    return (len(content) + 4).to_bytes(4, "big") + content + bytes(200)


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", b"x")
    return file.getvalue()


def eps():
    file = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(file, "EPS")
    return file.getvalue()


KINDS = {
    "heic": (box(b"ftyp", b"heic", b"mif1", b"heic"), "is a HEIC photo: export it as JPEG"),
    "heif": (box(b"ftyp", b"mif1", b"mif1", b"heic"), "is a HEIC photo: export it as JPEG"),
    "mp4": (box(b"ftyp", b"isom", b"mp42"), "is a video: save one of its frames"),
    "mov": (box(b"ftyp", b"qt  "), "is a video"),
    "webm": (b"\x1aE\xdf\xa3" + bytes(90), "is a video"),
    "mpeg": (b"\0\0\x01\xba" + bytes(90), "is a video"),
    "cr3": (box(b"ftyp", b"crx "), "is a camera's raw photo: export it as JPEG"),
    "eps": (eps(), "is an EPS or PostScript drawing: export it as PNG"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\n", "is a PDF: export the page"),
    "zip": (zipped(), "is a zip archive: unpack it"),
    "gz": (b"\x1f\x8b\x08" + bytes(90), "is a gzip archive: unpack it"),
    "html": (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><title>404</title>", "is a web page saved under this name: open"),
    "svg": (b'<?xml version="1.0"?>\n<!-- made by -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG drawing"),
    "svg_alone": (b"<svg width='1'/>", "is an SVG drawing: export it as PNG"),
    "xml": (b"<?xml version='1.0'?><annotation/>", "is an XML file"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "is a Git LFS pointer.*git lfs pull"),
    "npy": (b"\x93NUMPY\x01\0" + bytes(90), "is a NumPy array"),
    "psd": (b"8BPS\0\x01" + bytes(90), "is a Photoshop file: export it as PNG"),
    "jxl": (b"\xff\x0a" + bytes(90), "is a JPEG XL image: export it as JPEG or PNG"),
    "zeros": (bytes(500), "is empty space, nothing but zero bytes: download or copy it again"),
    "empty": (b"", "it is empty: download or copy it again"),
    "text": (b"a note\n", "is not an image that Pillow can read: expected PNG, JPEG"),
}


@pytest.mark.parametrize("suffix", ["", ".jpg", ".png"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_is_named_whatever_its_file_is_called(kind, suffix, tmp_path):
    content, message = KINDS[kind]
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_image(path, 8, 3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["figure.eps", "figure.png", "figure.jpg"])
def test_postscript_never_reaches_ghostscript(name, tmp_path, monkeypatch, capsys):
    def started(*args, **kwargs):
        raise AssertionError("Ghostscript is started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", started)
    monkeypatch.setattr(subprocess, "Popen", started)
    (tmp_path / name).write_bytes(eps())
    assert predict([tmp_path / name]) == 3
    assert "is an EPS or PostScript drawing" in capsys.readouterr().err


def test_formats_that_are_read_are_listed_and_start_no_program():
    assert not {"EPS", "WMF", "MPEG", "HDF5", "GRIB", "BUFR", "PSD", "SPIDER", "FITS"} & set(FORMATS)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.bmp", "a.tiff", "a.webp", "a.jp2", "a.ppm", "a.ico",
                                  "a.pcx", "a.sgi", "a.avif", "photo[1].png", "name with space ünï.png"])
def test_listed_formats_are_read_under_any_name(name, tmp_path):
    color = np.full((32, 32, 3), (200, 100, 50), np.uint8)
    try:
        Image.fromarray(color).save(tmp_path / name)
    except (KeyError, OSError, ValueError):
        pytest.skip("this Pillow does not write the format")
    (tmp_path / name).rename(tmp_path / "file.jpg")
    assert np.abs(read_image(tmp_path / "file.jpg", 32, 3).astype(int) - color).max() <= 6


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "sparse"])
def test_what_is_no_ordinary_file_is_refused_before_it_is_read(kind, tmp_path, capsys):
    path = tmp_path / "a.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as there:
            there.bind(str(path))
    else:
        Image.new("L", (8, 8)).save(path)
        os.truncate(path, 20 << 30)
    expected = {"pipe": "is a pipe", "device": "is a device", "socket": "is a socket",
                "sparse": "bytes: expected at most"}
    assert predict([path]) == 3
    assert expected[kind] in capsys.readouterr().err


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    Image.new("L", (8, 8), 9).save(tmp_path / "a.png")
    assert (read_image("~/a.png", 8, 1) == 9).all()
