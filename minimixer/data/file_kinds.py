"""Names files that are not images by their first bytes, and says what to do with each."""

import re

FIRST = 1024        # bytes to look at

HEIC = "a HEIC photo", ("export it as JPEG (an iPhone takes JPEG photos itself with Settings, Camera, Formats, Most "
                        "Compatible)")
VIDEO = "a video", "save one of its frames as PNG or JPEG"
DRAWING = "export it as PNG"
RAW = "a camera's raw photo", "export it as JPEG with the camera's program"
PACKED = "unpack it and name the images in it"
ARRAYS = "save its arrays as PNG files"
PAGE = "a web page saved under this name", "open its address in a browser and save the image itself"

# A pattern for the first bytes, what such a file is, and what to do.
KINDS: tuple[tuple[bytes, str, str], ...] = (
    (rb"....ftyp(hei[cxms]|hev[cmsx]|mif1|msf1)", *HEIC),
    (rb"....ftypcrx ", *RAW),
    (rb"....ftyp", *VIDEO),
    (rb"FUJIFILMCCD-RAW", *RAW),
    (rb"....(moov|mdat|wide)", *VIDEO),
    (rb"RIFF....AVI ", *VIDEO),
    (rb"\x1aE\xdf\xa3", *VIDEO),
    (rb"\0\0\x01[\xba\xb3]", *VIDEO),
    (rb"FLV\x01", *VIDEO),
    (rb"RIFF....WAVE|ID3|fLaC|OggS", "a sound file", "name an image"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "an EPS or PostScript drawing", DRAWING),
    (rb"\s*%PDF-", "a PDF", "export the page or the image in it as PNG"),
    (rb"8BPS", "a Photoshop file", DRAWING),
    (rb"gimp xcf", "a GIMP file", DRAWING),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "a Windows metafile", DRAWING),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL image", "export it as JPEG or PNG"),
    (rb"DDS |qoif|icns|.{128}DICM|SIMPLE  =|v/1\x01|#\?RADIANCE|\x80\x2a\x5f\xd7",
     "an image of a kind that is not read here", "export it as PNG"),
    (rb"PK(\x03\x04|\x05\x06|\x07\x08)", "a zip archive", PACKED),
    (rb"\x1f\x8b", "a gzip archive", PACKED),
    (rb"7z\xbc\xaf|Rar!|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|.{257}ustar", "an archive", PACKED),
    (rb"\x93NUMPY", "a NumPy array", ARRAYS),
    (rb"\x89HDF", "an HDF5 file", ARRAYS),
    (rb"version https://git-lfs", "a Git LFS pointer, not the image itself", "fetch the image with git lfs pull"),
    (rb"\s*<\?xml.*<svg|\s*(<!--.*-->\s*)?(<!doctype svg|<svg)", "an SVG drawing", DRAWING),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*-->\s*)?<(!doctype html|html|head|body)", *PAGE),
    (rb"\s*<\?xml", "an XML file", "name an image"),
    (rb"#!|MZ|\x7fELF", "a program", "name an image"),
)
IMAGE = re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8|BM|II\*\0|MM\0\*|RIFF....WEBP|....ftypavi[fs]|\0\0\0\x0cjP  ",
                   re.DOTALL)           # what is read here
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def kind_of(first: bytes) -> tuple[str, str] | None:
    """What a file is that begins with these bytes (``FIRST`` of them are enough), and what to do; None if not known."""
    if not first.strip(b"\0"):
        return "empty space, nothing but zero bytes", "download or copy it again"
    first = first.removeprefix(BYTE_ORDER_MARK)
    for pattern, what, remedy in KINDS:
        if re.match(pattern, first, re.DOTALL | re.IGNORECASE):
            return what, remedy
    return None
