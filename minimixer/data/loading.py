"""``mm.data.load``: images by name or by path, whatever lies there."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from minimixer.data import known
from minimixer.data.arrays import divided, only_classes
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.notes import Notes
from minimixer.data.parts import DEFAULT_TEST_SHARE, check_shares, wanted_classes
from minimixer.data.shrink import shrink
from minimixer.data.sources.folder import from_folder
from minimixer.data.sources.paths import load_path
from minimixer.errors import UsageError, nearest
from minimixer.files import expand
from minimixer.text import printable


def load(source: str | Path, *, data_dir: str | Path | None = None, download: bool = False,
         image_size: int | None = None, classes: str | Sequence[str] | None = None, validation: float = 0.0,
         test_share: float = DEFAULT_TEST_SHARE, seed: int = 0, cache: bool = True, quiet: bool = False) -> Dataset:
    """Images and labels by name or by path.

    Parameters
    ----------
    source : str or Path
        A known name (``minimixer data list`` shows all), or a path to a folder of images in class folders, to an
        ``.npz`` file, to IDX files, or to CIFAR's files or archive.  ``~`` is the home folder.
    data_dir : str or Path, optional
        Where to look for a known data set; by default $MINIMIXER_DATA, ``data`` and the cache folder.
    download : bool
        Fetch a known data set if it is not found.
    image_size : int, optional
        Side in pixels.  Photographs are read at this size (by default 64, see ``from_folder``).  Images that all have
        one size are reduced to it, but never enlarged: training does that, one batch at a time.
    classes : str or sequence of str, optional
        Use these classes only, numbered in this order: "cat,dog".
    validation : float
        Share of the training images, 0..1, to choose models by; see ``Dataset.selection``.
    test_share : float
        Share of the images that become the test part if there is none yet.
    seed : int
        Of these two cuts.
    cache : bool
        Keep decoded photographs for the next time.
    quiet : bool
        Do not say what was recognized, changed and left out; the data set's ``notes`` keep it.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If nothing is found, or what is found is damaged or of an unknown kind.
    UsageError
        If an option is out of range, or has no effect on these images.
    """
    check_shares(validation, test_share, seed)
    if image_size is not None and image_size < 1:
        raise UsageError(f"image_size is {image_size}: expected a number of pixels from 1")
    options: dict[str, Any] = {"validation": validation, "test_share": test_share, "seed": seed}
    if is_known(source):
        notes = Notes(str(source), quiet)
        dataset = divided(_known(str(source), data_dir, download), notes, **options)
    else:
        path = _path(source, data_dir, download)
        notes = Notes(printable(path.resolve().name or path), quiet)
        found = load_path(path, notes, **options)
        if found is None:
            return from_folder(path, image_size=image_size, classes=classes, cache=cache, quiet=quiet, **options)
        dataset = found
    dataset = only_classes(dataset, wanted_classes(classes, dataset.class_names, dataset.name), notes)
    dataset = replace(_fitted(dataset, notes, image_size), notes=tuple(notes))
    dataset.check()
    return dataset


def is_known(source: str | Path) -> bool:
    """Whether this is the name of a known data set, and not a path."""
    return isinstance(source, str) and source in get_args(known.Name)


def _known(name: str, data_dir: str | Path | None, download: bool) -> Dataset:
    if name == "digits" and (data_dir or download):
        raise UsageError(f"{'data_dir' if data_dir else 'download'} has no effect on digits (they come with "
                         "minimixer): leave it out, or name another data set")
    return known.load(cast(known.Name, name), expand(data_dir) if data_dir else None, download)


def _path(source: str | Path, data_dir: str | Path | None, download: bool) -> Path:
    """The path that is meant.  Raises DataError if there is none, UsageError for options that only names have."""
    path = expand(source)
    if not path.exists():
        name = os.fspath(source)
        bare = isinstance(source, str) and not {os.sep, os.altsep, "."} & set(name)
        what = f"data set, folder or file named {name!r}; {nearest(name, get_args(known.Name))}" if bare else f"{path}"
        raise DataError(f"there is no {printable(what, None)}" + (", or a path" if bare else ": check the path"))
    if data_dir or download:
        raise UsageError(f"{'data_dir' if data_dir else 'download'} has no effect on {printable(path, None)} (it is "
                         "read where it is): leave it out")
    return path


def _fitted(dataset: Dataset, notes: Notes, image_size: int | None) -> Dataset:
    """The data set with images that are not larger than was asked."""
    side = dataset.train_images.shape[1]
    if image_size is not None and image_size < side:
        notes.append(f"images of {side} x {side} pixels were reduced to {image_size} x {image_size}")
        dataset = replace(dataset, **{name: shrink(array, image_size) for name, array in dataset.arrays.items()
                                      if name.endswith("images")})
    elif image_size is not None and image_size > side:
        notes.append(f"images stay at {side} x {side} pixels in memory; training enlarges them")
    return dataset
