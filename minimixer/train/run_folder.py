"""The run folder: one run at a time, and the configuration that the folder keeps."""

import json
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from minimixer import files
from minimixer.errors import RunError, UsageError, flag
from minimixer.train.config import FIXED, TrainConfig, changes, without_old_names
from minimixer.version import __version__

CONFIG, LOCK = "config.json", ".lock"


@contextmanager
def open_folder(config: TrainConfig) -> Iterator[Path]:
    """Make the folder of a run and keep every other run out of it.  Raises RunError rather than mix two runs.

    The lock ends with the process, however that ends.  What is in the folder stays until ``clear``.  A new folder in
    which nothing was written is removed again.
    """
    from filelock import FileLock, Timeout
    folder = config.out or _next_free(config)
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file: choose another folder with --out")
    if config.resume:
        check_there(folder)
    is_new = config.out is None or not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise RunError(f"another run is writing into {folder}: wait for it, or choose another folder with --out"
                       ) from None
    try:
        if not is_empty(folder) and not config.resume and not config.overwrite:
            raise RunError(f"{folder} is not empty: --resume goes on with the run in it, --overwrite deletes it, "
                           "and --out names another folder")
        if config.overwrite and (runs := sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}"))):
            raise RunError(f"{folder} is a folder of runs ({', '.join(runs[:3])}), and --overwrite would delete them "
                           "all: name one of them with --out")
        yield folder
    finally:
        unused = is_new and folder.is_dir() and is_empty(folder)
        lock.release()
        if unused:
            shutil.rmtree(folder, ignore_errors=True)


def check_there(folder: Path) -> None:
    """Raise RunError if there is no such folder."""
    if not folder.is_dir():
        raise RunError(f"there is no run to resume in {folder}: check the folder, or train without --resume")


def _next_free(config: TrainConfig) -> Path:
    """Make runs/NAME-NUMBER with the first free number."""
    number = 1
    while True:
        folder = Path("runs") / f"{config.data}-{config.model.replace('/', '-')}-{number:03}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing, or only its lock."""
    return all(path.name == LOCK for path in folder.iterdir())


def clear(folder: Path) -> None:
    """Delete everything in a folder except its lock."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def versions() -> dict[str, str]:
    """Versions of what a run was made with, for config.json."""
    return {"minimixer": __version__, "python": platform.python_version(), "numpy": np.__version__,
            "machine": platform.machine()}


def write_config(folder: Path, config: TrainConfig, **more: Any) -> None:
    """Write config.json: the configuration, and ``more`` about the run."""
    content = json.dumps({"config": asdict(config), **more}, indent=2, default=str) + "\n"
    files.write_atomically(folder / CONFIG, content.encode())


def read_config(folder: Path) -> TrainConfig | None:
    """The configuration that a run folder keeps; None if there is none.  Raises RunError if it cannot be read."""
    path = folder / CONFIG
    try:
        values = without_old_names(json.loads(path.read_text())["config"])
        return TrainConfig(**{**values, "resume": False, "overwrite": False, "saved": True})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is not a whole configuration ({error}): restore it, or train anew with --overwrite"
                       ) from error


def check_resumed(saved: TrainConfig, config: TrainConfig) -> list[str]:
    """The differences between a run and its continuation, a line each.  Raises UsageError for a forbidden one."""
    differs = changes(saved, config)
    for name, (old, new) in differs.items():
        if name in FIXED:
            raise UsageError(f"{flag(name)} is {new}, but the run was begun with {old}: resume it "
                             "without this flag, or train anew in another folder")
    return [f"{flag(name)} {new} instead of {old}" for name, (old, new) in differs.items()]


def check_saved(folder: Path, config: TrainConfig) -> list[str]:
    """The same for the configuration that a folder keeps; no lines if it keeps none."""
    saved = read_config(folder)
    return [] if saved is None else check_resumed(saved, config)
