"""The handwritten digits that come with minimixer; ``digits.md`` states their source and license."""

import hashlib
import io
from pathlib import Path

import numpy as np

from minimixer.data.dataset import DataError, Dataset

FILE = Path(__file__).with_name("digits.npz")
SHA256 = "671a4220af6049a521e2cad7a11f807218a80e44d1bf98ab2c51a579371c0aa5"


def load_digits() -> Dataset:
    """1,797 gray images of handwritten digits, 8 x 8 pixels, 10 classes; no download (Alpaydin & Kaynak 1998, UCI).

    One image in five of each class is for the test.  The split is fixed.

    Returns
    -------
    Dataset
        Images of shape (N, 8, 8, 1).

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    try:
        content = FILE.read_bytes()
    except OSError as error:
        raise DataError(f"{FILE} cannot be read ({error.strerror}): reinstall minimixer") from error
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise DataError(f"{FILE} is damaged (its sha256 is {found[:12]}..., expected {SHA256[:12]}...): reinstall "
                        "minimixer")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        pixels, labels, train, test = (file[name] for name in ("pixels", "labels", "train", "test"))
    images = np.rint(pixels[..., None] * (255 / 16)).astype(np.uint8)           # (1797, 8, 8, 1), from 0..16
    labels = labels.astype(np.int64)                                            # (1797,)
    return Dataset("digits", images[train], labels[train], images[test], labels[test],
                   class_names=tuple("0123456789"))
