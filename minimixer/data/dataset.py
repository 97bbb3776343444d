import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minimixer.backend import Array
from minimixer.errors import DATA, MinimixerError
from minimixer.files import json_text


class DataError(MinimixerError):
    """A data set is missing or damaged.  The message names the file, what was expected and what to do."""

    exit_code = DATA


@dataclass(frozen=True)
class Dataset:
    """Labeled images, split into a training and a test part.

    Attributes
    ----------
    name : str
        As on the command line: ``digits``, ``cifar10``, ``cifar100``.
    train_images, test_images : array of uint8, shape (N, H, W, channels)
        Pixels in 0..255.
    train_labels, test_labels : array of int64, shape (N,)
        Class numbers in 0..num_classes-1.
    class_names : tuple of str
        One name per class.
    source : Path or None
        Where the images were read; None for images that come with minimixer.
    """

    name: str
    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array
    class_names: tuple[str, ...]
    source: Path | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def digest(self) -> str:
        """SHA-256 of all images, labels and class names: runs and processes compare it."""
        found = hashlib.sha256(json_text(self.class_names).encode())
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            found.update(f"{array.dtype.str} {array.shape}".encode())
            found.update(np.ascontiguousarray(array).data)
        return f"sha256:{found.hexdigest()}"

    def channel_statistics(self) -> tuple[Array, Array]:
        """Mean and standard deviation of the training pixels, float32, shape (channels,), on the 0..1 scale."""
        channels = self.train_images.shape[-1]
        counts = np.zeros((channels, 256), np.int64)
        for start in range(0, len(self.train_images), 1024):                    # bincount needs 8 bytes per pixel
            part = self.train_images[start:start + 1024]
            counts += [np.bincount(part[..., c].ravel(), minlength=256) for c in range(channels)]
        levels = np.arange(256) / 255.0
        total = counts.sum(axis=1)                                              # (channels,)
        mean = counts @ levels / total                                          # (channels,)
        variance = counts @ levels**2 / total - mean**2                         # (channels,)
        return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)
