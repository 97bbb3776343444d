"""Checkpoints: one safetensors file with the weights, the optimiser's memory, and what the run must know of itself."""

import contextlib
import errno
import json
import os
import secrets
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.backend import Array, to_device, to_numpy
from minimixer.errors import MinimixerError
from minimixer.nn.module import Module
from minimixer.optim import Optimizer
from minimixer.tensor import Tensor

VERSION = 2         # from 2 on there is a digest
TEMPORARY = ".tmp"
RESERVED = ("model", "optim")


class CheckpointError(MinimixerError):
    """A checkpoint cannot be read or written or does not fit; the message says why and what to do."""


def save(path: Path, model: Module, optimizer: Optimizer | None, metadata: Mapping[str, Any],
         extra: Mapping[str, Mapping[str, Array]] | None = None) -> None:
    """Write a checkpoint so that the file is at any moment either the old one or the new one, whole.

    Parameters
    ----------
    path : Path
    model : Module
        Its weights are named ``model.<name>``.
    optimizer : Optimizer or None
        What it remembers is named ``optim.<what>.<name>``.
    metadata : mapping
        Anything that JSON holds; ``version``, ``optimizer_steps`` and ``digest`` are set here.
    extra : mapping, optional
        More named arrays by group: ``{"ema": {"head.bias": array}}`` is stored as ``ema.head.bias``.

    Raises
    ------
    CheckpointError
        If the file cannot be written.  The one that was there is untouched.
    """
    from safetensors.numpy import save as serialize

    if wrong := [name for name in extra or {} if name in RESERVED or "." in name]:
        raise ValueError(f"extra arrays cannot be called {wrong[0]!r}: expected a name without a dot, not one of "
                         f"{', '.join(RESERVED)}")
    groups = {"model": model.state_dict(), **(extra or {})}
    known = json.loads(json.dumps({**metadata, "version": VERSION}))        # as it will be read
    known.pop("digest", None)
    if optimizer is not None:
        names = [name for name, _ in model.named_parameters()]
        for what, remembered in optimizer.state.items():
            groups[f"optim.{what}"] = dict(zip(names, remembered, strict=True))
        known["optimizer_steps"] = optimizer.step_count
    # safetensors writes the memory as it lies, so it must lie in C order.
    arrays = {f"{prefix}.{name}": np.asarray(to_numpy(array), order="C")
              for prefix, members in groups.items() for name, array in members.items()}
    text = json.dumps(known | {"digest": _digest(arrays, known)}, sort_keys=True)
    # One metadata entry only: the format does not fix the order of several, and equal runs give equal bytes.
    content = serialize(arrays, {"minimixer": text})
    try:
        write_atomically(path, content)
    except OSError as error:
        raise _unwritten(path, len(content), error) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside the target, force it to the disk, and only then take the target's name.  Raises OSError."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def append(path: Path, text: str) -> None:
    """Write at the end of a file.  Raises CheckpointError if its folder is gone, OSError otherwise."""
    try:
        with open(path, "a") as file:
            file.write(text)
    except FileNotFoundError as error:
        raise _unwritten(path, len(text), error) from error


def _sync_folder(folder: Path) -> None:
    """Force the new name to the disk.  Where that is not possible, a power cut may bring back the old file, whole."""
    with contextlib.suppress(OSError):      # Windows opens no folders, some network disks sync none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(folder: Path) -> list[Path]:
    """Delete the temporary files that a crash has left in a run folder, and return them.

    Only the run that owns the folder may call it: the temporary file of another may be in use.
    """
    leftovers = [path for path in sorted(folder.glob(f"*{TEMPORARY}")) if path.is_file() or path.is_symlink()]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return leftovers


def read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays and metadata of a checkpoint.  Raises CheckpointError if it is missing, damaged or too new."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        if not path.exists():
            raise CheckpointError(f"there is no checkpoint {path}: check the folder, or train without --resume")
        if not path.is_file():
            raise CheckpointError(f"{path} is a folder or a device, expected a file such as last.safetensors")
        with safe_open(path, "numpy") as file:
            metadata = json.loads((file.metadata() or {})["minimixer"])
            if metadata["version"] > VERSION:
                raise CheckpointError(f"{path} has format version {metadata['version']}, this minimixer reads up to "
                                      f"{VERSION}: upgrade minimixer")
            arrays = {name: file.get_tensor(name) for name in file.keys()}      # noqa: SIM118 (not a dict)
        digest = metadata.pop("digest", None)
        if digest != _digest(arrays, metadata) and (digest or metadata["version"] != 1):
            raise ValueError("its content does not match its digest")
    # The last three: entries of a wrong type, types that NumPy lacks, and brackets in brackets without end.
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        why = _short(str(error) or type(error).__name__)
        raise CheckpointError(f"{path} is not a whole minimixer checkpoint ({why}): try another one beside it, or "
                              "train anew with --overwrite") from error
    return arrays, metadata


def group(arrays: Mapping[str, Array], name: str) -> dict[str, Array]:
    """The arrays of one group, such as ``model``, ``optim.m`` or ``ema``, without its name in theirs."""
    prefix = name + "."
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}


def load(path: Path, model: Module, optimizer: Optimizer | None = None) -> dict[str, Any]:
    """Copy a checkpoint into a model and its optimiser, and return its metadata.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, too new, or of another model or optimiser.  Then nothing is changed.
    """
    arrays, metadata = read(path)
    if problems := _differences(group(arrays, "model"), dict(model.named_tensors())):
        raise CheckpointError(f"{path} does not fit this model: {problems}; give the options the run was made with")
    parameters = dict(model.named_parameters())
    if optimizer is not None:
        saved = sorted({name.split(".")[1] for name in arrays if name.startswith("optim.")})
        if not saved or "optimizer_steps" not in metadata:
            raise CheckpointError(f"{path} holds weights only, so no run can go on from it: resume from "
                                  "last.safetensors")
        if saved != sorted(optimizer.state):
            raise CheckpointError(f"{path} holds {_short(_listed(saved))} of another optimiser, expected "
                                  f"{_listed(sorted(optimizer.state))}: give the --optimizer of the run")
        for what in saved:
            if problems := _differences(group(arrays, f"optim.{what}"), parameters):
                raise CheckpointError(f"{path} holds an optim.{what} that does not fit this model: {problems}; "
                                      "train anew with --overwrite")
    model.load_state_dict(group(arrays, "model"))
    if optimizer is not None:
        for what, remembered in optimizer.state.items():
            for (name, parameter), array in zip(parameters.items(), remembered, strict=True):
                array[...] = to_device(arrays[f"optim.{what}.{name}"], parameter.device)
        optimizer.step_count = metadata["optimizer_steps"]
    return metadata


def _digest(arrays: Mapping[str, Array], metadata: Mapping[str, Any]) -> str:
    """CRC-32 of all that a checkpoint says: safetensors itself does not notice flipped bits in its arrays."""
    crc = zlib.crc32(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(arrays):
        crc = zlib.crc32(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode(), crc)
        crc = zlib.crc32(arrays[name], crc)
    return f"crc32:{crc:08x}"


def _differences(arrays: Mapping[str, Array], tensors: Mapping[str, Tensor], shown: int = 3) -> str:
    """What does not fit, shortly; empty if all does."""
    problems = [f"{name} has shape {arrays[name].shape}, expected {t.shape}" if name in arrays else f"{name} is missing"
                for name, t in tensors.items() if name not in arrays or arrays[name].shape != t.shape]
    problems += [f"{_short(name)} is not expected" for name in arrays if name not in tensors]
    more = [f"and {len(problems) - shown} more"] if len(problems) > shown else []
    return ", ".join(problems[:shown] + more)


def _listed(kinds: list[str]) -> str:
    return " and ".join(f"optim.{kind}" for kind in kinds)


def _short(text: str) -> str:
    """What a file brings into a sentence: it may be long, and not printable."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= 120 else text[:117] + "..."


def _unwritten(path: Path, size: int, error: OSError) -> CheckpointError:
    """The sentence for a file that could not be written."""
    if not path.parent.is_dir():
        return CheckpointError(f"{path} could not be written: its folder is gone, and the checkpoints in it; start the "
                               "run again in a folder that stays")
    advice = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "see that the folder may be written"
    kept = "the checkpoint saved there before is untouched" if path.is_file() else "there was none before"
    return CheckpointError(f"{path} ({size / 1e6:,.1f} MB) could not be written ({error.strerror or error}): {kept}; "
                           f"{advice}, then go on with --resume")
