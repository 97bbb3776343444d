"""Data sets from folders of images, one subfolder per class."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from minimixer.backend import Array
from minimixer.data.arrays import listed
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.memory import available, check_memory, readable
from minimixer.data.notes import Notes, several
from minimixer.data.parts import DEFAULT_TEST_SHARE, check_own_parts, check_shares, cut, to_cut, wanted_classes
from minimixer.data.places import cache_folder
from minimixer.data.sources import image_cache
from minimixer.data.sources.class_folders import Found, find_images
from minimixer.data.sources.decode import decode, native_side
from minimixer.errors import UsageError
from minimixer.files import expand
from minimixer.text import printable

DEFAULT_SIDE = 64               # pixels
LARGEST_SIDE = 4096
MOST_UNREADABLE = 0.1           # share of the images
LISTED = 50                     # unreadable images that are named

Rows = dict[str, tuple[list[Path], Array]]          # part -> its files, their class numbers (n,)


def from_folder(path: str | Path, *, image_size: int | None = None, classes: str | Sequence[str] | None = None,
                validation: float = 0.0, test_share: float = DEFAULT_TEST_SHARE, seed: int = 0,
                most_unreadable: float = MOST_UNREADABLE, cache: bool = True, quiet: bool = False) -> Dataset:
    """A data set from a folder of images in class folders, such as ``photos/cats/1.jpg``.

    If the folder holds ``train`` and ``test`` (or ``val``), the class folders lie in these; otherwise a share of every
    class becomes the test part.  ``train``, ``val`` and ``test`` together are training, validation and test part.

    Images may have any size and kind that ``read_image`` reads.  The square in the middle of each is resized to
    ``image_size``.  If all are gray, they get one channel, otherwise three.

    Parameters
    ----------
    path : str or Path
        ``~`` is the home folder.
    image_size : int, optional
        Side in pixels.  By default that of the images, if all are squares of one size of at most 64, otherwise 64.
    classes : str or sequence of str, optional
        Use these class folders only, in this order: "cats,dogs".
    validation : float
        Share of the training images, 0..1, to choose models by; see ``Dataset.selection``.
    test_share : float
        Share of the images that become the test part if the folder has none.
    seed : int
        Of these two cuts.
    most_unreadable : float
        Share of the images that may be unreadable; they are left out, and named.
    cache : bool
        Keep the decoded images in the cache folder ($MINIMIXER_CACHE or the system's) for the next time.
    quiet : bool
        Print no notes and no progress bar.

    Raises
    ------
    DataError
        If there are no class folders or no images, too many cannot be read, or there is not enough memory.
    UsageError
        If an option is out of range, or has no effect on this folder.
    """
    check_shares(validation, test_share, seed)
    if image_size is not None and not 1 <= image_size <= LARGEST_SIDE:
        raise UsageError(f"image_size is {image_size}: expected 1..{LARGEST_SIDE:,} pixels")
    root = expand(path)
    if not root.is_dir():
        raise DataError(f"{printable(root, None)} is {'a file' if root.exists() else 'not there'}: expected a folder "
                        "of images in class folders")
    name = printable(root.resolve().name or root)
    notes = Notes(name, quiet)
    found = find_images(root, notes)
    check_own_parts(name, found.parts, validation, test_share)
    names = wanted_classes(classes, list(found.parts["train"]), name) or list(found.parts["train"])
    if len(names) < len(found.parts["train"]):
        notes.append(f"{len(names)} of {len(found.parts['train'])} classes were chosen")
    rows = _rows(found, names, validation, test_share, seed, notes)
    files = [file for part, _ in rows.values() for file in part]
    side = image_size or native_side(files, DEFAULT_SIDE) or DEFAULT_SIDE
    _state_memory(len(files), side, image_size, notes)
    images, failures = _images(files, side, cache, notes)
    _check_failures(files, failures, most_unreadable, notes)
    dataset = _dataset(name, root, tuple(names), rows, images, failures)
    notes += _copies(dataset)
    return replace(dataset, notes=tuple(notes))


def _rows(found: Found, names: list[str], validation: float, test_share: float, seed: int, notes: Notes) -> Rows:
    """Files and class numbers of every part.  Raises DataError."""
    rows: Rows = {}
    name = notes.name
    for part, classes in found.parts.items():
        files = [file for each in names for file in classes.get(each, [])]
        counts = [len(classes.get(each, [])) for each in names]
        rows[part] = files, np.repeat(np.arange(len(names)), counts)                        # (n,)
        if lacking := [each for each, count in zip(names, counts, strict=True) if not count]:
            notes.append(f"the {part} part has no image of {listed(lacking)}")
        if not files:
            raise DataError(f"the {part} part of {name} has no image of these classes: choose others")
    for part, share in to_cut(rows, validation, test_share):
        files, labels = rows["train"]
        kept, drawn = cut(part, share, seed, labels, names, notes)
        rows["train"], rows[part] = (([files[i] for i in chosen], labels[chosen]) for chosen in (kept, drawn))
    return rows


def _state_memory(count: int, side: int, asked: int | None, notes: Notes) -> None:
    """Say how much memory the images need.  Raises DataError if there is not as much."""
    needed, there = count * side * side * 3, available()
    notes.append(f"{several(count, 'image', 'images')} of {side} x {side} pixels"
                 + ("" if asked else " (--image-size, image_size in Python, chooses another size)")
                 + f" need {readable(needed)} of memory"
                 + (f", {readable(there)} are available" if there is not None else ""))
    check_memory(needed * 4 // 3, f"{count:,} images of {side} x {side} pixels",
                 f"choose a smaller --image-size than {side}, or fewer --classes")


def _images(files: list[Path], side: int, cache: bool, notes: Notes) -> tuple[Array, dict[int, str]]:
    """The decoded images (N, side, side, 3), and why some could not be read; from the cache if they are there."""
    folder = cache_folder() if cache else None
    if folder is None:
        return decode(files, side, quiet=notes.quiet)
    place = image_cache.place_of(files, side, 3, Path(folder))
    if (known := image_cache.read(place, notes)) is not None:
        return known
    images, failures = decode(files, side, quiet=notes.quiet)
    image_cache.write(place, images, failures, notes)
    return images, failures


def _check_failures(files: list[Path], failures: dict[int, str], most: float, notes: Notes) -> None:
    """Say which images are left out.  Raises DataError if they are too many."""
    if not failures:
        return
    said = f"{len(failures):,} of {several(len(files), 'image', 'images')} cannot be read"
    shown = "".join(f"\n  {why}" for why in list(failures.values())[:LISTED])
    shown += f"\n  and {len(failures) - LISTED:,} more" if len(failures) > LISTED else ""
    if len(failures) > most * len(files):
        raise DataError(f"{notes.name}: {said}, more than {most:.0%}:{shown}\nReplace or remove them, or name the "
                        "folder that holds the images")
    notes.append(f"{said} and {'is' if len(failures) == 1 else 'are'} left out:{shown}")


def _dataset(name: str, root: Path, names: tuple[str, ...], rows: Rows, images: Array,
             failures: dict[int, str]) -> Dataset:
    """The parts of the images, without those that could not be read."""
    readable_rows = np.ones(len(images), bool)                                              # (N,)
    readable_rows[list(failures)] = False
    if _all_gray(images):
        images = np.ascontiguousarray(images[..., :1])                                      # (N, side, side, 1)
    parts: dict[str, Array] = {}
    start = 0
    for part, (files, labels) in rows.items():
        rows_here = slice(start, start + len(files))
        good = readable_rows[rows_here]
        parts[f"{part}_images"] = images[rows_here] if good.all() else images[rows_here][good]
        parts[f"{part}_labels"] = labels[good]
        start += len(files)
        if part == "train" and (gone := [names[i] for i in np.unique(labels) if i not in labels[good]]):
            raise DataError(f"no image of {listed(gone)} in {name} can be read")
        if not good.any():
            raise DataError(f"no image of the {part} part of {name} can be read")
    dataset = Dataset(name, class_names=names, source=root, **parts)
    dataset.check()
    return dataset


def _all_gray(images: Array) -> bool:
    return all((part == part[..., :1]).all() for part in np.array_split(images, math.ceil(len(images) / 1024)))


def _copies(dataset: Dataset) -> list[str]:
    """Copies of an image in two parts or two classes: not an error, but the numbers will mean less."""
    seen: dict[bytes, tuple[str, int]] = {}
    across = twice = 0
    for part in ("train", "validation", "test"):
        images, labels = getattr(dataset, f"{part}_images"), getattr(dataset, f"{part}_labels")
        for image, label in zip(images, labels, strict=True) if images is not None else ():
            before = seen.setdefault(_hash(image), (part, int(label)))
            across += before[0] != part
            twice += before[1] != label
    found = []
    if across:
        found.append(f"{several(across, 'image is a copy', 'images are copies')} of an image of "
                     "another part, so the accuracy will look better than it is")
    if twice:
        found.append(f"{several(twice, 'image is a copy', 'images are copies')} of an image of another class")
    return found


def _hash(image: Array) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
