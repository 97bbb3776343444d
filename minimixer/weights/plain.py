"""The weights of any Module as a plain .safetensors file: the arrays of its state_dict by their names."""

from collections.abc import Mapping
from os import PathLike

import numpy as np

from minimixer.backend import Array, to_numpy
from minimixer.errors import nearest
from minimixer.files import expand
from minimixer.nn import Module
from minimixer.text import printable
from minimixer.weights.files import open_arrays, write_safetensors
from minimixer.weights.kinds import WeightsError
from minimixer.weights.prefix import common_prefix, removed
from minimixer.weights.report import Mapped, Report

SHOWN = 3                                   # problems of a kind in one message
EXACT = {"F16": (np.float32, np.float64), "BF16": (np.float32, np.float64), "F32": (np.float64,)}      # without loss
NAMES = {"F16": np.float16, "F32": np.float32, "F64": np.float64}


def save(model: Module, path: str | PathLike[str]) -> None:
    """Write what ``state_dict`` holds of any Module to a .safetensors file, which every library for the format reads.

    Frozen parameters are written too.  An older file of this name is replaced, all at once.

    Raises
    ------
    WeightsError
        If the model has no parameters.
    OSError
        If the file cannot be written.
    """
    arrays = {name: to_numpy(tensor.data) for name, tensor in model.named_tensors()}
    if not arrays:
        raise WeightsError(f"{type(model).__name__} has no parameters to save: assign layers, or Tensors made with "
                           "requires_grad=True, to its attributes")
    write_safetensors(expand(path), arrays)


def load(model: Module, path: str | PathLike[str]) -> Report:
    """Copy the arrays of a .safetensors file into the parameters of a Module, all of them or none.

    Names and shapes must be those of the model.  One prefix that all names share, such as ``model.`` or
    ``module._orig_mod.``, is taken off.  A checkpoint of minimixer gives its weights and leaves out the rest.
    float16 and bfloat16 become float32, which loses nothing; what would lose digits is refused.

    Returns
    -------
    Report
        What became of each array; ``print`` shows it, with a note on the prefix.

    Raises
    ------
    WeightsError
        If the file cannot be read, or does not fit; nothing is changed then.
    """
    path, tensors = expand(path), dict(model.named_tensors())
    with open_arrays(path) as file:
        names, notes = list(file.shapes), list[str]()
        if "minimixer" in file.said:        # a checkpoint: optimizer and averages stand beside the weights
            names = [name for name in names if name.startswith("model.")]
            if len(names) < len(file.shapes):
                notes.append(f"{len(file.shapes) - len(names)} arrays of the optimizer and of averages were left out")
        prefix = common_prefix(names, tensors, path)
        if prefix:
            notes.append(removed(prefix))
        found = {name.removeprefix(prefix) if name.startswith(prefix) else name: name for name in names}
        _check(path, type(model).__name__, {ours: file.shapes[theirs] for ours, theirs in found.items()},
               {name: tensor.shape for name, tensor in tensors.items()})
        for ours, theirs in found.items():
            _check_dtype(path, theirs, file.dtypes[theirs], tensors[ours].dtype)
        arrays: Mapping[str, Array] = {ours: file.read(theirs) for ours, theirs in found.items()}
        mapped = tuple(Mapped(theirs, file.shapes[theirs], ours, tensors[ours].shape) for ours, theirs in found.items())
        halves = [name for name in found.values() if file.dtypes[name] in ("F16", "BF16")]
    if halves:
        notes.append(f"{len(halves)} arrays of half precision were widened")
    model.load_state_dict(arrays)
    return Report(path, "plain", mapped, notes=tuple(notes))


def _check(path: object, kind: str, found: Mapping[str, tuple[int, ...]],
           expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raise WeightsError for names and shapes that differ."""
    lacking, extra = ([name for name in a if name not in b] for a, b in ((expected, found), (found, expected)))
    shapes = [f"{printable(name)} has shape {found[name]}, expected {shape}" for name, shape in expected.items()
              if name in found and found[name] != shape]
    problems = [_listed("it lacks", lacking), _listed("the model has no", extra), _some(shapes)]
    if not any(problems):
        return
    hint = ""
    if len(lacking) == len(expected):
        hint = "; no name fits, so it is the file of another model"
    elif lacking and extra and (guess := nearest(lacking[0], extra)).startswith("did you mean"):
        hint = f"; for {lacking[0]}, {guess.removesuffix('?').removeprefix('did you mean ')} may be meant"
    elif shapes and all(found[name] == shape[::-1] for name, shape in expected.items()
                        if name in found and found[name] != shape):
        hint = "; these shapes are transposed: PyTorch stores (out, in), minimixer (in, out)"
    raise WeightsError(f"{path} does not fit this {kind}: {'; '.join(filter(None, problems))}{hint}")


def _listed(what: str, names: list[str]) -> str:
    return f"{what} {_some([printable(name) for name in names])}" if names else ""


def _some(items: list[str]) -> str:
    return ", ".join(items[:SHOWN]) + (f" and {len(items) - SHOWN} more" if len(items) > SHOWN else "")


def _check_dtype(path: object, name: str, theirs: str, ours: np.dtype) -> None:
    """Raise WeightsError unless the numbers become those of the parameter without loss."""
    if NAMES.get(theirs) == ours or ours in EXACT.get(theirs, ()):
        return
    raise WeightsError(f"{path}: {printable(name)} is of {printable(theirs)}, the parameter of {ours}: expected "
                       "numbers that it can hold without loss; convert the file, or build the model with that dtype")

