"""What a file is, by its first bytes: the two kinds that are read, and those that are often given in their place."""

import json
import re
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minimixer.errors import MinimixerError, command_line
from minimixer.files import FileRefusedError, check_regular
from minimixer.text import printable

HEAD = 512                      # bytes that are looked at
LONGEST_HEADER = 100_000_000    # bytes of a safetensors header, by its specification
SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.safetensors$")

PICKLE = ("reading it could run arbitrary code, so it is refused; convert it to .safetensors with timm first, as "
          "docs/weights.md shows")
CONVERT = "write its arrays as .safetensors with timm's names where it was made, as docs/weights.md shows"
UNPACK = "unpack it first, and give the weights file in it"
AGAIN = "download the file itself; a page may ask for a login, or show the file instead of sending it"


class WeightsError(MinimixerError):
    """A weights file cannot be read or does not fit; the message says why and what to do."""


@dataclass(frozen=True)
class Kind:
    """What a file is.

    Attributes
    ----------
    name : str
        ``"npz"``, ``"safetensors"``, ``"other"``, or ``"unknown"``.
    what : str
        With its article: ``"an HTML page"``.
    advice : str
        What to do instead.
    """

    name: str
    what: str = ""
    advice: str = ""


# What files begin with; a zip archive, JSON and HTML are looked at more closely below.
BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Keras's .h5", CONVERT),
    (b"\x80", "a pickle, as PyTorch's .pth files are", PICKLE),
    (b"version https://git-lfs", "a Git LFS pointer, which stands for the file",
     "fetch the file itself with `git lfs pull`, or download it from its page"),
    (b"GGUF", "a GGUF file of llama.cpp", CONVERT),
    (b"\x93NUMPY", "a single NumPy array (.npy)", "give the .npz that holds all arrays of the model"),
    (b"\x1f\x8b", "a gzip archive", UNPACK),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"\xfd7zXZ\x00", "an xz archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"%PDF", "a PDF", "give the weights file"),
    (b"\x89PNG", "a PNG image", "give the weights file; minimixer predict reads images"),
    (b"\xff\xd8\xff", "a JPEG image", "give the weights file; minimixer predict reads images"),
)


def kind_of(path: Path) -> Kind:
    """What a file is; only its beginning is read, and the table of contents of a zip archive.

    Raises
    ------
    WeightsError
        If it is not a file, or cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):              # reading a named pipe would wait for its writer
            what = "a folder" if stat.S_ISDIR(mode) else "a device or a named pipe"
            raise WeightsError(f"{path} cannot be read: it is {what}, expected an .npz or a .safetensors file")
        check_regular(path)                     # a header may claim what is a hole in the file
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except FileRefusedError as error:
        raise WeightsError(str(error)) from error
    except FileNotFoundError:
        raise WeightsError(f"there is no file {path}: check the name") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    if (shard := SHARD.search(path.name)) and int(shard[2]) > 1:
        return Kind("other", f"by its name one shard of {int(shard[2])} of a model", "join all shards into one "
                    ".safetensors file, as docs/weights.md shows, or download the weights in one file")
    if head.startswith(b"PK"):
        return _archive(path)
    if head[8:9] == b"{":
        return Kind("safetensors", "a .safetensors file")
    for beginning, what, advice in BEGINNINGS:
        if head.startswith(beginning):
            return Kind("other", what, advice)
    return _text(head) or _model(head) or Kind("unknown")


def _archive(path: Path) -> Kind:
    """What a zip archive is, by the names in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return Kind("npz", "an .npz file")              # a damaged one: its reader says what is wrong
    if any(name.endswith("data.pkl") for name in names):
        return Kind("other", "a PyTorch file, which holds a pickle", PICKLE)
    if any(name.endswith("model.weights.h5") for name in names):
        return Kind("other", "a .keras file", CONVERT)
    if names and not any(name.endswith(".npy") for name in names):
        return Kind("other", f"a zip archive of {len(names):,} files, such as {printable(names[0], 60)}", UNPACK)
    return Kind("npz", "an .npz file")


def _text(head: bytes) -> Kind | None:
    """What a text file is."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head", b"<body")):
        return Kind("other", "an HTML page" if b"html" in text or b"<?xml" not in text else "an XML page", AGAIN)
    if text.startswith(b"{"):
        if b"weight_map" in text or b"total_size" in text:
            return Kind("other", "the index of a model in several shards",
                        "join its shards into one .safetensors file, as docs/weights.md shows")
        return Kind("other", "a JSON file", "give the file of the weights themselves")
    return None


def _model(head: bytes) -> Kind | None:
    """What a file of a few other programs is.  Protocol buffers have no first bytes of their own."""
    if head[4:8] == b"TFL3":
        return Kind("other", "a TensorFlow Lite model", CONVERT)
    if head[257:262] == b"ustar":
        return Kind("other", "a tar archive", UNPACK)
    if len(head) > 2 and head[0] == 0x08 and head[2] in b"\x12\x1a\x22\x28\x32\x3a\x42":      # varint, next field
        return (Kind("other", "a TensorFlow SavedModel", CONVERT) if head[1] == 1 else
                Kind("other", "an ONNX model, as it looks", CONVERT))
    return None


def not_a_checkpoint(path: Path) -> str | None:
    """Why a file cannot be a checkpoint of minimixer, and what to do; None for one that may be, damaged or not."""
    kind = kind_of(path)
    advice = kind.advice
    if kind.name == "safetensors":
        try:
            said = read_header(path).get("__metadata__")
        except (OSError, ValueError) as error:
            return f"{path} is not a whole minimixer checkpoint ({printable(error)}): try another one beside it"
        if isinstance(said, dict) and "minimixer" in said:
            return None
        kind = Kind("npz", "a .safetensors file of weights alone")
    if kind.name == "unknown":
        return None
    if kind.name == "npz":
        imported = command_line("minimixer", "import", path, "--out", "RUN")
        advice = f"weights of others become a run folder with `{imported}`"
    return f"{path} is not a whole minimixer checkpoint, but {kind.what}: {advice}"


def read_header(path: Path) -> dict[str, Any]:
    """The header of a .safetensors file.

    Raises
    ------
    ValueError
        If it is damaged, nested too deeply, or says something twice.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(LONGEST_HEADER, path.stat().st_size):
            raise ValueError(f"the header claims {length:,} bytes")
        text = file.read(length)
    try:
        header = json.loads(text, object_pairs_hook=once)
    except RecursionError:
        raise ValueError("the header is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError("the header is not a table of arrays")
    return header


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, for ``json.loads``.  Raises ValueError if a key is there twice: readers differ in which counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"{twice([key for key, _ in pairs])} is there twice")
    return found


def twice(names: list[str]) -> str | None:
    """The first name that is there twice, printable; None if there is none."""
    seen: set[str] = set()
    return next((printable(name) for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]
