"""Checkpoints: one safetensors file with the weights, the optimiser's memory, and what the run must know of itself."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minimixer.backend import Array, to_device, to_numpy
from minimixer.errors import MinimixerError
from minimixer.nn.module import Module
from minimixer.optim import Optimizer

VERSION = 1


class CheckpointError(MinimixerError):
    """A checkpoint cannot be read or does not fit; the message says why and what to do."""


def save(path: Path, model: Module, optimizer: Optimizer | None, metadata: Mapping[str, Any]) -> None:
    """Write a checkpoint so that the file is at any moment either the old one or the new one, whole.

    Weights are named ``model.<name>``, the optimiser's arrays ``optim.<what>.<name>``; ``metadata`` is anything
    that JSON holds.
    """
    from safetensors.numpy import save as serialize

    arrays = {f"model.{name}": array for name, array in model.state_dict().items()}
    metadata = {**metadata, "version": VERSION}
    if optimizer is not None:
        names = [name for name, _ in model.named_parameters()]
        for what, remembered in optimizer.state.items():
            arrays |= {f"optim.{what}.{name}": to_numpy(a) for name, a in zip(names, remembered, strict=True)}
        metadata["optimizer_steps"] = optimizer.step_count
    # One metadata entry only: the format does not fix the order of several, and equal runs give equal bytes.
    write_atomically(path, serialize(arrays, {"minimixer": json.dumps(metadata, sort_keys=True)}))


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside the target, force it to the disk, and only then take the target's name."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays and metadata of a checkpoint.  Raises CheckpointError if it is missing, damaged or too new."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            metadata = json.loads((file.metadata() or {})["minimixer"])
            version = int(metadata["version"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}      # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint {path}: check the folder, or train without --resume") from None
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(f"{path} is not a whole minimixer checkpoint ({error}): try best.safetensors beside it, "
                              "or train anew with --overwrite") from error
    if version > VERSION:
        raise CheckpointError(f"{path} has format version {version}, this minimixer reads up to {VERSION}: upgrade "
                              "minimixer")
    return arrays, metadata


def load(path: Path, model: Module, optimizer: Optimizer | None = None) -> dict[str, Any]:
    """Copy a checkpoint into a model and its optimiser, and return its metadata.  Raises CheckpointError."""
    arrays, metadata = read(path)
    weights = {name.removeprefix("model."): a for name, a in arrays.items() if name.startswith("model.")}
    try:
        model.load_state_dict(weights)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    if optimizer is not None:
        for what, remembered in optimizer.state.items():
            for (name, parameter), array in zip(model.named_parameters(), remembered, strict=True):
                saved = arrays.get(f"optim.{what}.{name}")
                if saved is None or saved.shape != array.shape:
                    raise CheckpointError(f"{path} holds no optim.{what}.{name} of shape {array.shape}: was the run "
                                          "made with another --optimizer?")
                array[...] = to_device(saved, parameter.device)
        optimizer.step_count = metadata["optimizer_steps"]
    return metadata
