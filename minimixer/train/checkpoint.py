"""Checkpoints: safetensors files of named arrays, with metadata that describes them and a digest of everything."""

import errno
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.backend import Array, device_of, to_device, to_numpy
from minimixer.errors import ADVICE, MinimixerError
from minimixer.files import check_regular, write_atomically
from minimixer.nn.module import Module
from minimixer.optim import Optimizer
from minimixer.text import printable
from minimixer.weights.kinds import once, read_header

VERSION = 2         # 1 had no digest
RESERVED = ("model", "optim")


class CheckpointError(MinimixerError):
    """A checkpoint cannot be read or written or does not fit; the message says why and what to do."""


def named_arrays(model: Module, optimizer: Optimizer | None = None,
                 extra: Mapping[str, Mapping[str, Array]] | None = None) -> dict[str, Array]:
    """Every array by its name in a checkpoint; the arrays themselves, not copies.

    Parameters
    ----------
    model : Module
        Its weights are named ``model.<name>``.
    optimizer : Optimizer, optional
        Its state is named ``optim.<kind>.<name>``.
    extra : mapping, optional
        More arrays: ``{"ema": {"head.bias": array}}`` is named ``ema.head.bias``.
    """
    if wrong := [name for name in extra or {} if name in RESERVED or "." in name]:
        raise ValueError(f"extra arrays cannot be called {wrong[0]!r}: expected a name without a dot, not one of "
                         f"{', '.join(RESERVED)}")
    kinds = {"model": {name: tensor.data for name, tensor in model.named_tensors()}, **(extra or {})}
    if optimizer is not None:
        names = [name for name, _ in model.named_parameters()]
        kinds |= {f"optim.{kind}": dict(zip(names, arrays, strict=True)) for kind, arrays in optimizer.state.items()}
    return {f"{kind}.{name}": array for kind, members in kinds.items() for name, array in members.items()}


def save(path: Path, model: Module, optimizer: Optimizer | None, metadata: Mapping[str, Any],
         extra: Mapping[str, Mapping[str, Array]] | None = None) -> None:
    """Write the arrays that ``named_arrays`` finds, as ``write`` does, and how many steps the optimizer has made."""
    steps = {} if optimizer is None else {"optimizer_steps": optimizer.step_count}
    write(path, named_arrays(model, optimizer, extra), {**metadata, **steps})


def write(path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, Any]) -> None:
    """Write a checkpoint; at any moment the file is either the old one or the new one, whole.

    Parameters
    ----------
    path : Path
    arrays : mapping of str to array
        On any device.
    metadata : mapping
        Anything that JSON holds; ``version`` and ``digest`` are set here.

    Raises
    ------
    CheckpointError
        If the file cannot be written.  The old file is untouched.
    """
    from safetensors.numpy import save as serialize

    known = json.loads(json.dumps({**metadata, "version": VERSION}))        # as it will be read
    known.pop("digest", None)
    # safetensors writes the memory as it lies, so it must lie in C order.
    host = {name: np.asarray(to_numpy(array), order="C") for name, array in arrays.items()}
    text = json.dumps(known | {"digest": _digest(host, known)}, sort_keys=True)
    # One metadata entry only: the format does not fix the order of several, and equal runs give equal bytes.
    content = serialize(host, {"minimixer": text})
    try:
        write_atomically(path, content)
    except OSError as error:
        raise unwritten(path, len(content), error) from error


def read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays and metadata of a checkpoint.  Raises CheckpointError if it is missing, damaged or too new."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        if not path.exists():
            raise CheckpointError(f"there is no checkpoint {path}: check the folder, or train without --resume")
        if not path.is_file():
            raise CheckpointError(f"{path} is a folder or a device, expected a file such as last.safetensors")
        check_regular(path)
        read_header(path)               # refuses names that are there twice
        with safe_open(path, "numpy") as file:
            metadata = json.loads((file.metadata() or {})["minimixer"], object_pairs_hook=once)
            if metadata["version"] > VERSION:
                raise CheckpointError(f"{path} has format version {metadata['version']}, this minimixer reads up to "
                                      f"{VERSION}: upgrade minimixer")
            arrays = {name: file.get_tensor(name) for name in file.keys()}      # noqa: SIM118 (not a dict)
        digest = metadata.pop("digest", None)
        if digest != _digest(arrays, metadata) and (digest or metadata["version"] != 1):
            raise ValueError("its content does not match its digest")
    # The last three: entries of a wrong type, dtypes that NumPy lacks, and endlessly nested brackets.
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        why = printable(str(error) or type(error).__name__)
        raise CheckpointError(f"{path} is not a whole minimixer checkpoint ({why}): try another one beside it, or "
                              "train anew in another folder") from error
    return arrays, metadata


def members(arrays: Mapping[str, Array], kind: str) -> dict[str, Array]:
    """The arrays of one kind, such as ``model``, ``optim.m`` or ``ema``, by their names without it."""
    prefix = kind + "."
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def load(path: Path, model: Module, optimizer: Optimizer | None = None,
         extra: Mapping[str, Mapping[str, Array]] | None = None,
         check: Callable[[Mapping[str, Any]], None] | None = None) -> dict[str, Any]:
    """Copy a checkpoint into a model, its optimizer and ``extra`` arrays, in place; returns the metadata.

    ``check`` is given the metadata before anything else is looked at, and may raise.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, too new, or of another model or optimizer.  Then nothing is changed.
    """
    arrays, metadata = read(path)
    if check is not None:
        check(metadata)
    if problems := _differences(members(arrays, "model"), {name: t.data for name, t in model.named_tensors()}):
        raise CheckpointError(f"{path} does not fit this model: {problems}; give the options the run was made with")
    wanted = named_arrays(model, optimizer, extra)
    if optimizer is not None:
        saved = sorted({name.split(".")[1] for name in arrays if name.startswith("optim.")})
        if not saved or "optimizer_steps" not in metadata:
            raise CheckpointError(f"{path} holds weights only, so no run can go on from it: resume from "
                                  "last.safetensors")
        if saved != sorted(optimizer.state):
            raise CheckpointError(f"{path} holds {printable(_listed(saved))} of another optimizer, expected "
                                  f"{_listed(sorted(optimizer.state))}: give the --optimizer of the run")
    for kind in [*(f"optim.{name}" for name in (optimizer.state if optimizer is not None else ())), *(extra or {})]:
        if problems := _differences(members(arrays, kind), members(wanted, kind)):
            raise CheckpointError(f"{path} holds an {kind} that does not fit this model: {problems}; train anew in "
                                  "another folder")
    for name, array in wanted.items():
        array[...] = to_device(arrays[name], device_of(array).name)
    if optimizer is not None:
        optimizer.step_count = metadata["optimizer_steps"]
    return metadata


def _digest(arrays: Mapping[str, Array], metadata: Mapping[str, Any]) -> str:
    """CRC-32 of a checkpoint's whole content: safetensors itself does not notice flipped bits in arrays."""
    crc = zlib.crc32(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(arrays):
        crc = zlib.crc32(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode(), crc)
        crc = zlib.crc32(arrays[name], crc)
    return f"crc32:{crc:08x}"


def _differences(found: Mapping[str, Array], expected: Mapping[str, Array], shown: int = 3) -> str:
    """The names and shapes that do not fit, the first few of them; empty if all fit."""
    problems = [f"{name} has shape {found[name].shape}, expected {array.shape}" if name in found else
                f"{name} is missing" for name, array in expected.items()
                if name not in found or found[name].shape != array.shape]
    problems += [f"{printable(name)} is not expected" for name in found if name not in expected]
    more = [f"and {len(problems) - shown} more"] if len(problems) > shown else []
    return ", ".join(problems[:shown] + more)


def _listed(kinds: list[str]) -> str:
    return " and ".join(f"optim.{kind}" for kind in kinds)


def unwritten(path: Path, size: int, error: OSError) -> CheckpointError:
    """The error for a file of a run folder that could not be written."""
    if not path.parent.is_dir():
        return CheckpointError(f"{path} could not be written: its folder is gone, and the checkpoints in it; start the "
                               "run again in a folder that stays")
    advice = {errno.ENOSPC: "make room", errno.EDQUOT: "make room", errno.EFBIG: ADVICE["EFBIG"]}.get(
        error.errno or 0, "see that the folder may be written")
    kept = "the checkpoint saved there before is untouched" if path.is_file() else "there was none before"
    return CheckpointError(f"{path} ({size / 1e6:,.1f} MB) could not be written ({error.strerror or error}): {kept}; "
                           f"{advice}, then go on with --resume")
