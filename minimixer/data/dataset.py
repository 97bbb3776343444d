import hashlib
from dataclasses import dataclass, field
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
    """Labeled images, split into a training and a test part, and perhaps a validation part.

    A model is chosen (its best step, its settings) by ``selection``: the validation part if there is one, else the test
    part.  With a validation part, the test images are looked at only once, at the very end.

    Attributes
    ----------
    name : str
        As on the command line: ``digits``, ``cifar10``, or the name of a folder or file.
    train_images, test_images : array of uint8, shape (N, H, W, channels)
        Pixels in 0..255.
    train_labels, test_labels : array of int64, shape (N,)
        Class numbers in 0..num_classes-1.
    class_names : tuple of str
        One name per class.
    source : Path or None
        Where the images were read; None for images that come with minimixer, and for arrays.
    validation_images, validation_labels : array or None
        As the others; both or none.
    notes : tuple of str
        Sentences on what was recognized, changed and left out while the images were read.
    """

    name: str
    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array
    class_names: tuple[str, ...]
    source: Path | None = None
    validation_images: Array | None = None
    validation_labels: Array | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def arrays(self) -> dict[str, Array]:
        """All arrays by the names of their attributes, without those of a validation part that does not exist."""
        return {f"{part}_{kind}": array for part in ("train", "test", "validation") for kind in ("images", "labels")
                if (array := getattr(self, f"{part}_{kind}")) is not None}

    @property
    def selection(self) -> tuple[str, Array, Array]:
        """What a model is chosen by: "validation" or "test", its images (N, H, W, channels) and its labels (N,)."""
        if self.validation_images is None:
            return "test", self.test_images, self.test_labels
        return "validation", self.validation_images, self.validation_labels

    def check(self) -> None:
        """Raise DataError unless a model can be trained on this: shapes, dtypes and labels fit each other.

        ``load``, ``from_arrays`` and ``from_folder`` return nothing that is refused here.
        """
        for part in ("train", "test", "validation"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images is None and labels is None and part == "validation":
                continue
            if not (isinstance(images, np.ndarray) and isinstance(labels, np.ndarray)):
                raise DataError(f"{part}_images and {part}_labels of {self.name} are {type(images).__name__} and "
                                f"{type(labels).__name__}: expected two arrays; mm.data.from_arrays makes them of most "
                                "things")
            self._check_part(part, images, labels)

    def _check_part(self, part: str, images: Array, labels: Array) -> None:
        name, remedy = f"{part}_images of {self.name}", "mm.data.from_arrays converts most arrays"
        if images.dtype != np.uint8:
            raise DataError(f"{name} are of {images.dtype}, expected uint8, pixels in 0..255; {remedy}")
        if images.ndim != 4 or not images.size or images.shape[1] != images.shape[2]:
            raise DataError(f"{name} have the shape {images.shape}, expected (N, side, side, channels), square images; "
                            f"{remedy}")
        if images.shape[1:] != self.train_images.shape[1:]:
            raise DataError(f"{name} are of {images.shape[1:]}, those of the training part of "
                            f"{self.train_images.shape[1:]}: expected the same")
        if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
            raise DataError(f"{part}_labels of {self.name} are of {labels.dtype} with the shape {labels.shape}, "
                            f"expected int64 with the shape {images.shape[:1]}, one class number per image; {remedy}")
        if labels.min() < 0 or labels.max() >= self.num_classes:
            raise DataError(f"{part}_labels of {self.name} go from {labels.min()} to {labels.max()}, expected "
                            f"0..{self.num_classes - 1}, one of {self.num_classes} class_names")

    def digest(self) -> str:
        """SHA-256 of all images, labels and class names: runs and processes compare it.

        Without a validation part it is what it was before there were any.
        """
        found = hashlib.sha256(json_text(self.class_names).encode())
        for array in self.arrays.values():
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
