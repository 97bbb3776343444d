"""Read and write files of arrays, without pickles, and without allocating more than the file can hold."""

import contextlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from minimixer.backend import Array
from minimixer.files import write_atomically
from minimixer.text import printable
from minimixer.weights.about import ABOUT, read_about
from minimixer.weights.kinds import PICKLE, WeightsError, kind_of, read_header, twice
from minimixer.weights.names import OFFICIAL, TIMM, Layout, Shape
from minimixer.weights.prefix import recognize

LARGEST_EXPANSION = 20          # floats hardly compress: an archive that expands more than this is a trap,
ALWAYS_ALLOWED = 1 << 26        # unless it unpacks to fewer bytes than this
FLOATS = ("f2", "V2", "f4", "f8", "F16", "BF16", "F32", "F64")       # of .npz (V2 is bfloat16) and of .safetensors
EXPORTED = "minimixer"          # the mark of a file that save_official or save_timm wrote


@dataclass(frozen=True)
class ArraysFile:
    """An open file of arrays.

    Attributes
    ----------
    path : Path
    usual : Layout
        That of most files of its kind.
    shapes : mapping of str to shape
    dtypes : mapping of str to str
        As the file calls them.
    read : function
        Reads an array as floats.
    said : mapping of str to str
        Its metadata.
    """

    path: Path
    usual: Layout
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, str]
    read: Callable[[str], Array]
    said: Mapping[str, str]


@dataclass(frozen=True)
class WeightsFile:
    """An open weights file: its layout, the shapes it holds, and a function that reads an array as floats.

    ``prefix`` stood before all of these names; ``about`` is what the file says of the model's images and classes.
    """

    path: Path
    layout: Layout
    shapes: Mapping[str, Shape]
    read: Callable[[str], Array]
    prefix: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def open_weights(path: Path) -> Iterator[WeightsFile]:
    """Open a file with the official names or timm's; its layout follows from these names, whatever kind of file it is.

    One prefix of all names is taken off.  Reads only headers, then arrays on demand.

    Raises
    ------
    WeightsError
        If the file does not exist, or is damaged, unsafe or of another kind.
    """
    with open_arrays(path) as file:
        layout, prefix = recognize(file.shapes, file.usual, path)
        theirs = {name.removeprefix(prefix) if name.startswith(prefix) else name: name for name in file.shapes}
        yield WeightsFile(path, layout, {name: file.shapes[full] for name, full in theirs.items()},
                          lambda name: file.read(theirs[name]), prefix, read_about(file.said))


@contextmanager
def open_arrays(path: Path) -> Iterator[ArraysFile]:
    """Open an .npz or a .safetensors file, whichever it is by its content.  Raises as ``open_weights`` does."""
    kind = kind_of(path)
    if kind.name not in ("npz", "safetensors"):
        advice = kind.advice or "give an official .npz, or timm's weights saved as .safetensors"
        raise WeightsError(f"{path} is {kind.what}{', ' if kind.what else ''}neither an .npz nor a .safetensors file: "
                           f"{advice}")
    with _open_npz(path) if kind.name == "npz" else _open_safetensors(path) as file:
        yield file


@contextmanager
def _readable(path: Path, name: str = "") -> Iterator[None]:
    """Turn whatever NumPy, zipfile and safetensors raise for a damaged file into one sentence.

    Their parsers meet the bytes of others: besides ValueError they raise TokenError, SyntaxError, RecursionError,
    zlib.error, struct.error and more.
    """
    try:
        yield
    except WeightsError:
        raise
    except Exception as error:
        why = str(error) or type(error).__name__
        raise WeightsError(f"{path} is damaged ({f'{printable(name)}: ' * bool(name)}{printable(why)}): download it "
                           "again") from error


@contextmanager
def _open_npz(path: Path) -> Iterator[ArraysFile]:
    with contextlib.ExitStack() as stack:
        with _readable(path):
            npz = stack.enter_context(np.load(stack.enter_context(open(path, "rb")), allow_pickle=False))
            entries = npz.zip.infolist()
            if name := twice([info.filename.removesuffix(".npy") for info in entries]):
                raise ValueError(f"{name} is there twice")
        unpacked = sum(info.file_size for info in entries)
        if unpacked > max(ALWAYS_ALLOWED, LARGEST_EXPANSION * path.stat().st_size):
            raise WeightsError(f"{path} would unpack to {unpacked:,} bytes, more than {LARGEST_EXPANSION} times its "
                               "size: weights do not compress that well, so this is not a weights file")
        headers = {}
        for info in entries:
            with _readable(path, info.filename):
                headers[info.filename.removesuffix(".npy")] = _npy_header(path, npz.zip, info)

        def read(name: str) -> Array:
            _check_kind(path, name, headers[name][1])
            with _readable(path, name):
                return _as_float(npz[name])

        mark, _, about = npz.zip.comment.decode("utf-8", "replace").partition("\n")
        yield ArraysFile(path, OFFICIAL, {name: shape for name, (shape, _) in headers.items()},
                         {name: dtype for name, (_, dtype) in headers.items()}, read,
                         {ABOUT: about} if mark == EXPORTED and about else {})


def _npy_header(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[Shape, str]:
    """Shape and dtype in the header of an array, after checking that the archive holds all of its bytes."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("NumPy does not use its kind of compression")
    with archive.open(info) as file:
        version = npy.read_magic(file)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, _, dtype = read_header(file)
        if dtype.hasobject:
            raise WeightsError(f"{path} is an archive in which {printable(info.filename)} holds pickled Python "
                               f"objects: {PICKLE}")
        claimed = file.tell() + math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or claimed != info.file_size:
        raise ValueError(f"the header claims {claimed:,} bytes, the archive holds {info.file_size:,}")
    return shape, dtype.str.lstrip("<>|=")


@contextmanager
def _open_safetensors(path: Path) -> Iterator[ArraysFile]:
    from safetensors import deserialize, safe_open

    with contextlib.ExitStack() as stack:
        with _readable(path):
            header = read_header(path)  # which refuses what safetensors lets pass: names that are there twice
            said = header.get("__metadata__") or {}
            file = stack.enter_context(safe_open(path, "numpy"))
            slices = {name: file.get_slice(name) for name in file.keys()}       # noqa: SIM118 (not a dict)
            dtypes = {name: part.get_dtype() for name, part in slices.items()}
            halves: dict[str, Any] = {}
            if "BF16" in dtypes.values():           # NumPy has no such dtype
                halves = dict(deserialize(path.read_bytes()))       # type: ignore[no-untyped-call]

        def read(name: str) -> Array:
            _check_kind(path, name, dtypes[name])
            with _readable(path, name):
                if dtypes[name] == "BF16":
                    return _as_float(np.frombuffer(halves[name]["data"], "V2").reshape(halves[name]["shape"]))
                return _as_float(file.get_tensor(name))

        shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
        yield ArraysFile(path, TIMM, shapes, dtypes, read, said)


def _check_kind(path: Path, name: str, dtype: str) -> None:
    if dtype not in FLOATS:
        raise WeightsError(f"{path}: {name} holds {dtype}, expected floating point numbers: is this a weights file?")


def _as_float(array: Array) -> Array:
    """Keep float64 and float32; convert float16 and bfloat16 (2-byte void in an .npz) to float32."""
    if array.dtype == np.dtype("V2"):
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.promote_types(array.dtype, np.float32), copy=False)


def write_weights(path: Path, layout: Layout, arrays: Mapping[str, Array], about: str = "") -> bool:
    """Write an .npz file (official) or a .safetensors file (timm), completely or not at all, marked as an export.

    ``about`` comes from ``write_about``.  Returns whether it is in the file: the comment of an .npz has room for 65,535
    bytes only.
    """
    if layout is not OFFICIAL:
        write_safetensors(path, arrays, {ABOUT: about} if about else {})
        return True
    file = io.BytesIO()
    np.savez(file, **arrays)
    fits = len(EXPORTED) + 1 + len(about) < 1 << 16
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = (f"{EXPORTED}\n{about}" if about and fits else EXPORTED).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, file.getvalue())
    return fits


def write_safetensors(path: Path, arrays: Mapping[str, Array], said: Mapping[str, str] | None = None) -> None:
    """Write arrays and metadata as .safetensors, completely or not at all, marked as an export."""
    from safetensors.numpy import save

    content = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, _marked(content, said or {}))


def _marked(content: bytes, said: Mapping[str, str]) -> bytes:
    """A .safetensors file with metadata, whose order safetensors itself would leave to chance."""
    length = int.from_bytes(content[:8], "little")
    header = {"__metadata__": {"format": "pt", "made_by": EXPORTED, **said}, **json.loads(content[8:8 + length])}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)                             # so that the arrays lie at multiples of 8 bytes
    return len(text).to_bytes(8, "little") + text + content[8 + length:]


def is_export(path: Path) -> bool:
    """Whether a file is one that ``save_official`` or ``save_timm`` wrote."""
    try:
        name = kind_of(path).name
        if name == "npz":
            with zipfile.ZipFile(path) as archive:
                return archive.comment.partition(b"\n")[0] == EXPORTED.encode()
        return name == "safetensors" and read_header(path).get("__metadata__", {}).get("made_by") == EXPORTED
    except (WeightsError, OSError, ValueError, AttributeError, zipfile.BadZipFile):
        return False
