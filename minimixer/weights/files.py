"""Read and write files of arrays, without pickles, and without allocating more than the file can hold."""

import contextlib
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from minimixer.backend import Array
from minimixer.errors import MinimixerError
from minimixer.files import printable, write_atomically
from minimixer.weights.names import OFFICIAL, TIMM, Layout, Shape

LARGEST_EXPANSION = 20          # floats hardly compress: an archive that expands more than this is a trap,
ALWAYS_ALLOWED = 1 << 26        # unless it unpacks to fewer bytes than this
FLOATS = ("f2", "V2", "f4", "f8", "F16", "BF16", "F32", "F64")       # of .npz (V2 is bfloat16) and of .safetensors
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, OSError, ValueError, EOFError, KeyError, RuntimeError)


class WeightsError(MinimixerError):
    """A weights file cannot be read or does not fit; the message says why and what to do."""


@dataclass(frozen=True)
class WeightsFile:
    """An open weights file: its layout, the shapes it holds, and a function that reads an array as floats."""

    path: Path
    layout: Layout
    shapes: Mapping[str, Shape]
    read: Callable[[str], Array]


@contextmanager
def open_weights(path: Path) -> Iterator[WeightsFile]:
    """Open an official .npz file or a .safetensors file with timm's names; reads only headers, then arrays on demand.

    Raises
    ------
    WeightsError
        If the file does not exist, or is damaged, unsafe or of another kind.
    """
    kind = _kind(path)
    with _open_npz(path) if kind == "npz" else _open_safetensors(path) as file:
        yield file


def _kind(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            head = file.read(9)
    except FileNotFoundError:
        raise WeightsError(f"there is no file {path}: check the name") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    if head.startswith(b"PK"):
        return "npz"
    if head.startswith(b"\x80"):
        raise _pickled(path, "a pickle, as PyTorch's .pth files are")
    if head[8:] == b"{":
        return "safetensors"
    raise WeightsError(f"{path} is neither an .npz nor a .safetensors file: give an official .npz, or timm's weights "
                       "saved as .safetensors")


def _pickled(path: Path, what: str) -> WeightsError:
    return WeightsError(f"{path} is {what}: reading it could run arbitrary code, so it is refused; convert it to "
                        ".safetensors with timm first, as docs/weights.md shows")


def _damaged(path: Path, why: object) -> WeightsError:
    return WeightsError(f"{path} is damaged ({printable(why)}): download it again")


@contextmanager
def _open_npz(path: Path) -> Iterator[WeightsFile]:
    with contextlib.ExitStack() as stack:
        try:
            npz = stack.enter_context(np.load(stack.enter_context(open(path, "rb")), allow_pickle=False))
        except DAMAGE as error:
            raise _damaged(path, error) from error
        if any(name.endswith("data.pkl") for name in npz.zip.namelist()):
            raise _pickled(path, "a PyTorch file, which holds a pickle")
        unpacked = sum(info.file_size for info in npz.zip.infolist())
        if unpacked > max(ALWAYS_ALLOWED, LARGEST_EXPANSION * path.stat().st_size):
            raise WeightsError(f"{path} would unpack to {unpacked:,} bytes, more than {LARGEST_EXPANSION} times its "
                               "size: weights do not compress that well, so this is not a weights file")
        headers = {}
        for info in npz.zip.infolist():
            try:
                headers[info.filename.removesuffix(".npy")] = _npy_header(npz.zip, info)
            except DAMAGE as error:
                raise _damaged(path, f"{info.filename}: {error}") from error
            except _PickledArray:
                what = f"an archive in which {printable(info.filename)} holds pickled Python objects"
                raise _pickled(path, what) from None

        def read(name: str) -> Array:
            _check_kind(path, name, headers[name][1])
            try:
                return _as_float(npz[name])
            except DAMAGE as error:
                raise _damaged(path, f"{name}: {error}") from error

        yield WeightsFile(path, OFFICIAL, {name: shape for name, (shape, _) in headers.items()}, read)


class _PickledArray(Exception):
    pass


def _npy_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[Shape, str]:
    """Shape and dtype in the header of an array, after checking that the archive holds all of its bytes."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("NumPy does not use its kind of compression")
    with archive.open(info) as file:
        version = npy.read_magic(file)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, _, dtype = read_header(file)
        if dtype.hasobject:
            raise _PickledArray
        claimed = file.tell() + math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or claimed != info.file_size:
        raise ValueError(f"the header claims {claimed:,} bytes, the archive holds {info.file_size:,}")
    return shape, dtype.str.lstrip("<>|=")


@contextmanager
def _open_safetensors(path: Path) -> Iterator[WeightsFile]:
    from safetensors import SafetensorError, deserialize, safe_open

    try:
        opened = safe_open(path, "numpy")
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    with opened as file:
        slices = {name: file.get_slice(name) for name in file.keys()}       # noqa: SIM118 (not a dict)
        dtypes = {name: part.get_dtype() for name, part in slices.items()}
        halves: dict[str, Any] = {}
        if "BF16" in dtypes.values():           # NumPy has no such dtype
            halves = dict(deserialize(path.read_bytes()))       # type: ignore[no-untyped-call]

        def read(name: str) -> Array:
            _check_kind(path, name, dtypes[name])
            if dtypes[name] == "BF16":
                return _as_float(np.frombuffer(halves[name]["data"], "V2").reshape(halves[name]["shape"]))
            return _as_float(file.get_tensor(name))

        yield WeightsFile(path, TIMM, {name: tuple(part.get_shape()) for name, part in slices.items()}, read)


def _check_kind(path: Path, name: str, dtype: str) -> None:
    if dtype not in FLOATS:
        raise WeightsError(f"{path}: {name} holds {dtype}, expected floating point numbers: is this a weights file?")


def _as_float(array: Array) -> Array:
    """Keep float64 and float32; convert float16 and bfloat16 (2-byte void in an .npz) to float32."""
    if array.dtype == np.dtype("V2"):
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.promote_types(array.dtype, np.float32), copy=False)


def write_weights(path: Path, layout: Layout, arrays: Mapping[str, Array]) -> None:
    """Write an .npz file (official) or a .safetensors file (timm), completely or not at all."""
    if layout is OFFICIAL:
        file = io.BytesIO()
        np.savez(file, **arrays)
        content = file.getvalue()
    else:
        from safetensors.numpy import save
        content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"format": "pt"})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
