"""Data sets from one ``.npz`` file, under the names that people give their arrays."""

import math
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from minimixer.backend import Array
from minimixer.data.arrays import assemble, listed
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.memory import check_memory
from minimixer.data.notes import Notes
from minimixer.files import FileRefusedError, check_regular, unpacks_too_large
from minimixer.text import printable

# Ours and MedMNIST's, Keras's, and others; without regard to capitals.
IMAGES = {"train": ("train_images", "x_train", "train_x", "train_data", "images_train", "images", "x", "data", "imgs",
                    "arr_0"),
          "test": ("test_images", "x_test", "test_x", "test_data", "images_test"),
          "validation": ("validation_images", "val_images", "x_val", "x_valid", "x_validation", "val_x", "valid_x",
                         "val_data", "images_val")}
LABELS = {"train": ("train_labels", "y_train", "train_y", "labels_train", "labels", "y", "targets", "target", "arr_1"),
          "test": ("test_labels", "y_test", "test_y", "labels_test"),
          "validation": ("validation_labels", "val_labels", "y_val", "y_valid", "y_validation", "val_y", "valid_y",
                         "labels_val")}
CLASS_NAMES = ("class_names", "classes", "label_names", "target_names")
EXPECTED = "expected x_train, y_train, x_test and y_test, or images and labels"


def load_npz(path: Path, notes: Notes, *, validation: float, test_share: float, seed: int) -> Dataset:
    """Read a file of images and labels; see ``from_arrays`` for what is recognized.

    Raises
    ------
    DataError
        If the file is damaged or no .npz, holds Python objects, or its arrays have names or kinds that are not known.
    """
    arrays = _read(path)
    lower = {name.casefold(): name for name in arrays}
    parts: dict[str, tuple[Array, Array]] = {}
    used = set()
    for part in IMAGES:
        images, labels = (next((lower[name] for name in names[part] if name in lower), None)
                          for names in (IMAGES, LABELS))
        if (images is None) != (labels is None):
            raise DataError(f"{path} holds {images or labels}, but no {'labels' if images else 'images'} for it: "
                            f"{EXPECTED}; it holds {listed(list(arrays), 10)}")
        if images is not None and labels is not None:
            parts[part] = arrays[images], arrays[labels]
            used |= {images, labels}
    if "train" not in parts:
        raise DataError(f"{printable(path, None)} holds {listed(list(arrays), 10) or 'nothing'}: {EXPECTED}")
    names = next((lower[name] for name in CLASS_NAMES if name in lower), None)
    if unused := [name for name in arrays if name not in used and name != names]:
        notes.append(f"not used: {listed(unused, 5)}")
    if "validation" in parts and "test" not in parts:
        notes.append("there are no test images, so the validation images are the test part")
        parts["test"] = parts.pop("validation")
    class_names = None if names is None else [_text(name) for name in arrays[names].ravel().tolist()]
    return assemble(parts, class_names, notes, path, validation=validation, test_share=test_share, seed=seed)


def _text(name: object) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _read(path: Path) -> dict[str, Array]:
    """All arrays, after checking what the file claims to hold.  Raises DataError."""
    shown = printable(path, None)
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            claimed = _check(path, archive)
        check_memory(2 * claimed, f"the arrays in {shown}", "store fewer or smaller images, as uint8")
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileRefusedError as error:
        raise DataError(str(error)) from None
    except DataError:
        raise
    except MemoryError:
        raise
    except OSError as error:
        raise DataError(f"{shown} cannot be read: {error}") from error
    except Exception as error:          # the parsers of others meet foreign bytes, and raise almost anything
        raise DataError(f"{shown} is no .npz file, or a damaged one ({printable(error) or type(error).__name__}): "
                        "save it again with np.savez_compressed") from error


def _check(path: Path, archive: zipfile.ZipFile) -> int:
    """Bytes that the arrays will take, by their headers.  Raises DataError or ValueError."""
    shown, total = printable(path, None), 0
    unpacked = sum(info.file_size for info in archive.infolist())
    if unpacks_too_large(path.stat().st_size, unpacked) and unpacked > 1 << 31:
        raise DataError(f"{shown} would unpack to {unpacked:,} bytes, far more than images shrink to: it is a trap, or "
                        "all of one color")
    for info in archive.infolist():
        with archive.open(info) as file:
            version = npy.read_magic(file)
            reader = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
            if reader is None:
                continue                # NumPy will say what it thinks of it
            shape, _, dtype = reader(file)
            if dtype.hasobject:
                raise DataError(f"{printable(info.filename)} in {shown} holds pickled Python objects, which could run "
                                "any code: save it as numbers or strings (np.array(names) instead of dtype=object)")
            claimed = math.prod(shape) * dtype.itemsize
            if min(shape, default=0) < 0 or file.tell() + claimed != info.file_size:
                raise ValueError(f"{info.filename} claims {claimed:,} bytes and holds {info.file_size - file.tell():,}")
            total += claimed
    return total
