"""Cuts labeled images into training, test and validation parts: the same cut on every machine."""

import zlib
from collections.abc import Container, Sequence

import numpy as np

from minimixer.backend import Array
from minimixer.data.batches import PARTS
from minimixer.data.dataset import DataError
from minimixer.data.notes import Notes
from minimixer.errors import UsageError, nearest

CUT_OFF = ("test", "validation")    # their places are part of the seed: never reorder them
DEFAULT_TEST_SHARE = 0.2


def check_shares(validation: float, test_share: float, seed: int) -> None:
    """Raise UsageError unless the shares are shares, and the seed is a whole number from 0."""
    if not 0 <= validation < 1:
        raise UsageError(f"validation is {validation}: expected a share of the training images, from 0 (none) to below "
                         "1, such as 0.1")
    if not 0 < test_share < 1:
        raise UsageError(f"test_share is {test_share}: expected a share of the images, above 0 and below 1, such as "
                         f"{DEFAULT_TEST_SHARE}")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise UsageError(f"seed is {seed!r}: expected a whole number from 0")


def to_cut(there: Container[str], validation: float, test_share: float) -> list[tuple[str, float]]:
    """The parts that must be cut off the training images, each with its share."""
    shares = {"test": test_share, "validation": validation}
    return [(part, shares[part]) for part in CUT_OFF if part not in there and shares[part]]


def check_own_parts(name: str, there: Container[str], validation: float, test_share: float) -> None:
    """Raise UsageError for a share that has no effect, because the data are divided already."""
    if "validation" in there and validation:
        raise UsageError(f"validation has no effect on {name} (it has a validation part): leave it out")
    if "test" in there and test_share != DEFAULT_TEST_SHARE:
        raise UsageError(f"test_share has no effect on {name} (it has a test part): leave it out")


def cut(part: str, share: float, seed: int, labels: Array, class_names: Sequence[str],
        notes: Notes) -> tuple[Array, Array]:
    """Draw a share of the images of every class, and say so.

    How the images of a class are divided depends on the seed, the name of the class and their number alone: it stays
    the same if other classes come or go.

    Parameters
    ----------
    part : str
        "test" or "validation": the two cuts by one seed are independent.
    share : float
        Of each class, rounded to whole images; at least one, unless that would leave none.
    seed : int
    labels : array of int, shape (N,)
    class_names : sequence of str
    notes : Notes

    Returns
    -------
    kept, drawn : array of int64
        Places of images, in ascending order.

    Raises
    ------
    DataError
        If no class has two images.
    """
    drawn = np.zeros(len(labels), bool)                                         # (N,)
    for number, name in enumerate(class_names):
        places = np.flatnonzero(labels == number)                               # (n,)  of this class
        count = min(max(round(share * len(places)), 1), max(len(places) - 1, 0))
        rng = np.random.default_rng((seed, PARTS, CUT_OFF.index(part), zlib.crc32(name.encode("utf-8", "replace"))))
        drawn[rng.permutation(places)[:count]] = True
    if not drawn.any():
        raise DataError(f"{notes.name} has one training image per class: expected at least two, so that some can be "
                        f"left for the {part} part")
    notes.append(f"the {part} part is {drawn.sum():,} of {len(labels):,} images, {share:.0%} of each class, drawn by "
                 f"seed {seed}")
    return np.flatnonzero(~drawn), np.flatnonzero(drawn)


def wanted_classes(classes: str | Sequence[str] | None, known: Sequence[str], where: str) -> list[str] | None:
    """The classes that a user wants, in this order; None for all.

    Parameters
    ----------
    classes : str or sequence of str, optional
        Names, with commas between them if it is one str.
    known : sequence of str
        Those that exist.
    where : str
        What errors call the data.

    Raises
    ------
    UsageError
        For an unknown name, one that is there twice, and fewer than two.
    """
    if classes is None:
        return None
    names = [name.strip() for name in classes.split(",")] if isinstance(classes, str) else list(map(str, classes))
    for name in names:
        if name not in known:
            raise UsageError(f"{where} has no class {name!r}; {nearest(name, known)}")
    if len(set(names)) < len(names):
        raise UsageError(f"classes names {next(n for n in names if names.count(n) > 1)!r} twice: name each class once")
    if len(names) < 2:
        raise UsageError(f"classes names {len(names)} class: expected at least two of {', '.join(known)}")
    return names
