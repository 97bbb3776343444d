"""Data sets from arrays in memory: recognized, checked, and cut into parts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.data.array_images import as_array, as_images
from minimixer.data.array_labels import as_labels
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.notes import Notes
from minimixer.data.parts import DEFAULT_TEST_SHARE, check_own_parts, check_shares, cut, to_cut
from minimixer.errors import UsageError
from minimixer.text import printable

Parts = Mapping[str, tuple[Any, Any]]       # "train", "test", "validation" -> images, labels


def from_arrays(images: Any, labels: Any, test_images: Any = None, test_labels: Any = None, *,
                class_names: Sequence[str] | None = None, name: str = "arrays", validation: float = 0.0,
                test_share: float = DEFAULT_TEST_SHARE, seed: int = 0) -> Dataset:
    """A data set from your own arrays.

    Recognized, and said on standard error: channels before rows and columns; pixels in 0..1, -1..1 or True and False;
    rows of pixels of gray images; one-hot labels; labels counted from 1.  Images that are not square are cut to the
    square in their middle.

    Parameters
    ----------
    images : array-like, shape (N, H, W, channels), (N, channels, H, W), (N, H, W) or (N, H * W)
        The training images, or all of them if there are no test images.  Pixels in 0..255 (whole numbers or floats),
        0..1, -1..1, or bool.
    labels : array-like, shape (N,) or (N, 1) of whole numbers or strings, or (N, classes) of one-hot rows
    test_images, test_labels : array-like, optional
        In the layout of the others.  By default a share of the images is cut off.
    class_names : sequence of str, optional
        By default the labels that occur, in ascending order.
    name : str
        What reports and errors call the data.
    validation : float
        Share of the training images, 0..1, to choose models by; see ``Dataset.selection``.
    test_share : float
        Share of the images that become the test part if none is given, of every class alike.
    seed : int
        Of these two cuts.

    Returns
    -------
    Dataset
        uint8 images that are already in its layout are not copied.

    Raises
    ------
    DataError
        If the arrays do not fit each other, or are of a kind that is not recognized with certainty.
    UsageError
        If a share is out of range, or of no use.
    """
    if (test_images is None) != (test_labels is None):
        raise UsageError("test_images and test_labels belong together: give both, or none")
    parts = {"train": (images, labels)} | ({} if test_images is None else {"test": (test_images, test_labels)})
    return assemble(parts, class_names, Notes(name), validation=validation, test_share=test_share, seed=seed)


def assemble(parts: Parts, class_names: Sequence[str] | None, said: Notes, source: Path | None = None, *,
             validation: float = 0.0, test_share: float = DEFAULT_TEST_SHARE, seed: int = 0) -> Dataset:
    """The data set of some parts, of which "train" must be there; the others are cut off as ``from_arrays`` says.

    Its name is that of the notes.
    """
    name = said.name
    check_shares(validation, test_share, seed)
    check_own_parts(name, parts, validation, test_share)
    images = as_images({part: as_array(given[0], f"the {part} images") for part, given in parts.items()}, said)
    labels, names = as_labels({part: as_array(given[1], f"the {part} labels") for part, given in parts.items()},
                              class_names, said)
    for part in parts:
        if len(images[part]) != len(labels[part]):
            raise DataError(f"there are {len(images[part]):,} {part} images (of the shape {np.shape(parts[part][0])}) "
                            f"and {len(labels[part]):,} labels: expected one label per image")
    check_classes(labels, names, name, said)
    for part, share in to_cut(parts, validation, test_share):
        kept, drawn = cut(part, share, seed, labels["train"], names, said)
        for arrays in (images, labels):
            arrays[part], arrays["train"] = arrays["train"][drawn], arrays["train"][kept]
    dataset = Dataset(name, images["train"], labels["train"], images["test"], labels["test"], names, source,
                      images.get("validation"), labels.get("validation"), tuple(said))
    dataset.check()
    return dataset


def divided(dataset: Dataset, notes: Notes, *, validation: float, test_share: float, seed: int) -> Dataset:
    """A data set that has its test part, with a validation part if one is wanted."""
    check_own_parts(dataset.name, {"test"}, validation, test_share)
    if not validation:
        return dataset
    images, labels = dataset.train_images, dataset.train_labels
    kept, drawn = cut("validation", validation, seed, labels, dataset.class_names, notes)
    return replace(dataset, train_images=images[kept], train_labels=labels[kept],
                   validation_images=images[drawn], validation_labels=labels[drawn])


def check_classes(labels: Mapping[str, Array], names: Sequence[str], name: str, notes: Notes) -> None:
    """Refuse a single class; say which classes lack images somewhere."""
    counts = {part: np.bincount(numbers, minlength=len(names)) for part, numbers in labels.items()}     # (classes,)
    if np.count_nonzero(sum(counts.values())) < 2:
        only = names[int(np.argmax(sum(counts.values())))]
        raise DataError(f"all images of {name} are of one class ({printable(only)}): expected at least two classes")
    for part, found in counts.items():
        lacking = [names[i] for i in np.flatnonzero(found == 0).tolist()]
        if lacking:
            notes.append(f"the {part} part has no image of {listed(lacking)}")
    few = [names[i] for i in np.flatnonzero(counts["train"] == 1).tolist()]
    if few and len(counts) == 1:
        notes.append(f"{listed(few)} {'has' if len(few) == 1 else 'have'} one image, which stays in the training part")


def listed(names: Sequence[object], most: int = 3) -> str:
    """Some names in a sentence: the first few, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(printable(name) for name in names[:most]) + more


def only_classes(dataset: Dataset, names: Sequence[str] | None, notes: Notes) -> Dataset:
    """The images of some classes alone, numbered in the order of their names; all for None."""
    if names is None or tuple(names) == dataset.class_names:
        return dataset
    number = np.full(dataset.num_classes, -1)                                   # (old classes,)
    number[[dataset.class_names.index(name) for name in names]] = np.arange(len(names))
    changed: dict[str, Any] = {}
    for part in ("train", "test", "validation"):
        if (labels := getattr(dataset, f"{part}_labels")) is not None:
            kept = number[labels] >= 0                                          # (N,)
            changed[f"{part}_images"] = getattr(dataset, f"{part}_images")[kept]
            changed[f"{part}_labels"] = number[labels[kept]]                    # (n,)
    notes.append(f"{len(names)} of {dataset.num_classes} classes were chosen")
    return replace(dataset, class_names=tuple(names), **changed, notes=(*dataset.notes, notes[-1]))
