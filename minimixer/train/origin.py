"""Where a checkpoint comes from: which configuration, which data, and what decides its last bits."""

import hashlib
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.data import Dataset
from minimixer.data.known import KNOWN
from minimixer.errors import flag
from minimixer.parallel.host import blas_kernel
from minimixer.text import printable
from minimixer.train.checkpoint import CheckpointError
from minimixer.train.config import FIXED, FREE, NEW, ROUNDING, TrainConfig, is_unsaid

# Another value of any of these may give other bytes.
ENVIRONMENT = {"numpy": "NumPy", "blas_kernel": "BLAS kernel", "numba": "Numba", "device": "device", "forms": "forms"}


def origin_of(config: TrainConfig, values: Mapping[str, Any], dataset: Dataset, device: str, compiled: bool,
              begun: str | None) -> dict[str, Any]:
    """What every last.safetensors of a run says of it.

    Parameters
    ----------
    config : TrainConfig
    values : mapping
        Its settings; see ``inputs.settings_of``.
    dataset : Dataset
    device : "cpu" or "gpu"
    compiled : bool
        Whether Numba's loops run, which are imported then.
    begun : str or None
        The digest that a resumed run was begun with; None if it has none.

    Returns
    -------
    dict
        ``settings`` that affect what is computed; ``data_digest``; the ``environment`` that decides the last bits; and
        ``begun``, a digest of the first two as they were when the run began.
    """
    settings = json.loads(json.dumps({name: value for name, value in values.items() if name not in FREE - ROUNDING
                                      and not is_unsaid(name, value)}, default=str))
    data = dataset.digest()
    if not config.resume:
        begun = "sha256:" + hashlib.sha256(json.dumps([settings, data], sort_keys=True).encode()).hexdigest()
    environment = {"numpy": np.__version__, "blas_kernel": blas_kernel() or "unknown",
                   "numba": str(sys.modules["numba"].__version__) if compiled else "not used", "device": device,
                   "forms": "compiled" if compiled else config.kernels}
    return {"settings": settings, "data_digest": data, "environment": environment, "begun": begun}


def check_origin(path: Path, metadata: Mapping[str, Any], total_steps: int, origin: Mapping[str, Any]) -> list[str]:
    """What may give other bytes than before, a line each.  Raises CheckpointError if the checkpoint is another run's.

    Checkpoints of versions that did not say where they come from are compared as far as they do.
    """
    shown = printable(path, None)
    step, recent, best = (metadata.get(name) for name in ("step", "recent", "best_accuracy"))
    if not (isinstance(step, int) and is_count(step) and isinstance(recent, list) and all(map(is_number, recent))
            and (best is None or is_number(best)) and metadata.get("optimizer_steps") == step):
        raise CheckpointError(f"{shown} does not say where its run stood: it holds weights only, or was changed; "
                              "resume from the run's own last.safetensors")
    if step > total_steps:
        raise CheckpointError(f"{shown} is at step {step:,}, but this run ends at step {total_steps:,}: train longer "
                              "with --max-steps or --epochs, or restore the run's own checkpoint")
    if metadata.get("begun") and origin["begun"] and metadata["begun"] != origin["begun"]:
        raise CheckpointError(f"{shown} is the checkpoint of another run, not of the one that config.json beside it "
                              "describes: restore the file that belongs here")
    was, now = metadata.get("settings"), origin["settings"]
    if not isinstance(was, dict):
        return [f"{path.name} of an older version, which does not say whether it belongs to this configuration"]
    unsaid = {name: getattr(TrainConfig, name) for name in NEW}
    was, now = {**unsaid, **was}, {**unsaid, **now}
    differs = {name: now[name] for name in now if name in was and was[name] != now[name]}
    for name in differs.keys() & FIXED:
        raise CheckpointError(f"{shown} was made with {flag(name)} {printable(was[name])}, but config.json says "
                              f"{printable(now[name])}: restore config.json, or begin anew in another folder")
    if metadata.get("data_digest") != origin["data_digest"]:
        place = "--data-dir" if now["data"] in KNOWN else "--data"
        raise CheckpointError(f"{shown} was made with other images or labels than those of {now['data']} that were "
                              f"found: give the {place} of the run, or begin anew in another folder")
    notes = [f"{flag(name)} {value} instead of {printable(was[name])}" for name, value in differs.items()]
    said = metadata.get("environment")
    return notes + [f"{shown} {printable(now)} instead of {printable(said[name])}: the last bits may differ"
                    for name, shown in ENVIRONMENT.items()
                    if isinstance(said, dict) and name in said and said[name] != (now := origin["environment"][name])]


def is_number(value: object) -> bool:
    """Whether a value is a finite number, true and false not being numbers."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and (
        isinstance(value, int) or math.isfinite(value))


def is_count(value: object) -> bool:
    """Whether a value is a whole number from 0."""
    return type(value) is int and value >= 0
