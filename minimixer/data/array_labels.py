"""What labels of any usual kind become: class numbers 0, 1, 2, ... and a name for each."""

from collections.abc import Mapping, Sequence

import numpy as np

from minimixer.backend import Array
from minimixer.data.dataset import DataError
from minimixer.data.notes import Notes
from minimixer.errors import nearest
from minimixer.text import printable


def as_labels(found: Mapping[str, Array], class_names: Sequence[str] | None,
              notes: Notes) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Turn the labels of all parts into class numbers.

    Parameters
    ----------
    found : mapping
        Name of a part -> its labels: whole numbers (N,) or (N, 1), strings (N,), or one-hot rows (N, classes).
    class_names : sequence of str, optional
        In the order of the class numbers; by default the labels that occur are the names, in ascending order.
    notes : Notes
        Gets a sentence on everything that was changed.

    Returns
    -------
    dict, tuple of str
        The same names of parts -> int64 (N,), and the class names.

    Raises
    ------
    DataError
        If the labels are of another kind, or do not fit the class names.
    """
    flat = {part: _flat(labels, part, notes) for part, labels in found.items()}
    if len({labels.dtype.kind == "U" for labels in flat.values()}) > 1:
        raise DataError("the labels of one part are strings, those of another numbers: expected one kind")
    values = np.unique(np.concatenate(list(flat.values())))
    if class_names is None:
        return _by_value(flat, values, notes)
    names = tuple(map(str, class_names))
    if len(set(names)) < len(names):
        raise DataError(f"class_names holds {next(n for n in names if names.count(n) > 1)!r} twice: expected a name of "
                        "its own for each class")
    if values.dtype.kind == "U":
        place = {name: number for number, name in enumerate(names)}
        for value in values.tolist():
            if value not in place:
                raise DataError(f"the label {printable(value)!r} is no class name; {nearest(value, names)}")
        return {part: np.array([place[name] for name in labels.tolist()], np.int64)
                for part, labels in flat.items()}, names
    low, high = int(values[0]), int(values[-1])
    first = 1 if (low, high) == (1, len(names)) else 0
    if not first <= low <= high < len(names) + first:
        raise DataError(f"the labels go from {low} to {high}, and there are {len(names)} class names: expected "
                        f"0..{len(names) - 1}")
    if first:
        notes.append(f"labels 1..{high} were taken as counted from 1")
    return {part: labels.astype(np.int64) - first for part, labels in flat.items()}, names


def _by_value(flat: Mapping[str, Array], values: Array, notes: Notes) -> tuple[dict[str, Array], tuple[str, ...]]:
    names = tuple(map(str, values.tolist()))
    if values.dtype.kind != "U" and (values[0] != 0 or values[-1] != len(values) - 1):
        shown = ", ".join([*names[:3], *["..."] * (len(names) > 4), *names[3:][-1:]])
        notes.append(f"the labels are {shown}: these became the names of {len(names):,} classes")
    return {part: np.searchsorted(values, labels).astype(np.int64) for part, labels in flat.items()}, names


def _flat(labels: Array, part: str, notes: Notes) -> Array:
    """Labels as one axis of int64 or str.  Raises DataError."""
    kind = labels.dtype.kind
    if labels.ndim == 2 and labels.shape[1] > 1 and kind in "biuf":
        rows = labels != 0                                                      # (N, classes)
        if not ((labels == 1) == rows).all() or not (rows.sum(axis=1) == 1).all():
            raise DataError(f"the {part} labels have the shape {labels.shape}, and their rows are not one-hot (a "
                            "single 1): expected one class number per image")
        if (said := f"one-hot labels of {labels.shape[1]} classes became class numbers") not in notes:
            notes.append(said)
        return rows.argmax(axis=1)                                              # (N,)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]                                                   # (N,)
    if labels.ndim != 1 or not len(labels):
        raise DataError(f"the {part} labels have the shape {labels.shape}: expected (N,), one class number per image")
    if kind == "S":
        return np.char.decode(labels, "utf-8", "replace")
    if kind == "U":
        return labels
    if kind not in "biuf" or not (np.abs(numbers := labels.astype(float)) < 2**53).all() or (numbers % 1).any():
        raise DataError(f"the {part} labels are of {labels.dtype} and not all whole numbers: expected class numbers "
                        "0, 1, 2, ... or names")
    if labels.min() < 0:
        raise DataError(f"the {part} labels go down to {labels.min()}: expected class numbers from 0 (-1 often means "
                        "\"not labeled\": leave those images out)")
    return labels.astype(np.int64)
