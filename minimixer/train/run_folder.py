"""The run folder: one run at a time, and the configuration that the folder keeps."""

import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from minimixer import files, owned
from minimixer.errors import RunError, UsageError, flag
from minimixer.files import FileRefusedError
from minimixer.text import printable
from minimixer.train.config import FIXED, TrainConfig, changes, without_old_names
from minimixer.train.lock import LEASE, LOCK, FolderLock
from minimixer.version import __version__

CONFIG = "config.json"
PAGE = "play.html"
# Everything that minimixer writes into a run folder: what --overwrite may delete.
WRITTEN = (CONFIG, LOCK, LEASE, "last.safetensors", "best.safetensors", "metrics.jsonl", "display.log", "report.md",
           "curves.png", "confusion.png", "mistakes.png", PAGE, "events.out.tfevents.*")


@contextmanager
def open_folder(config: TrainConfig, name: str | None = None) -> Iterator[Path]:
    """Make the folder of a run and keep every other run out of it.  Raises RunError rather than mix two runs.

    The lock ends with the process, however that ends.  What is in the folder stays until ``begin_config``.  A new
    folder in which nothing was written is removed again.  ``name`` is what a folder without a name of its own is called
    by, runs/NAME-NUMBER.
    """
    is_new = config.out is None or not config.out.exists()
    folder = config.out or _next_free(name or f"{config.data}-{config.model}")
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{printable(folder, None)} is a file: choose another folder with --out")
    if config.resume:
        check_there(folder)
    elif folder.is_dir() and not (folder / LOCK).exists() and not is_empty(folder):
        check_free(folder, config.overwrite)            # before anything, such as a lock, is written into it
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"the folder {printable(folder, None)} cannot be made ({error.strerror}): choose another one "
                       "with --out") from error
    lock = FolderLock(folder)
    try:
        if not is_empty(folder) and not config.resume:
            check_free(folder, config.overwrite)
        yield folder
    finally:
        lock.release(unused=is_new and folder.is_dir() and is_empty(folder))


def check_free(folder: Path, overwrite: bool) -> None:
    """Raise RunError if a run cannot begin in a folder that holds something; nothing is deleted."""
    shown = printable(folder, None)
    if not overwrite:
        advice = ("--resume goes on with the run in it, and --out names another folder" if owned.made_by_a_run(folder)
                  else "choose another one with --out")
        raise RunError(f"{shown} is not empty: {advice}")
    if runs := sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}")):
        raise RunError(f"{shown} is a folder of runs ({', '.join(map(printable, runs[:3]))}), which is not deleted as "
                       "a whole: name one of them with --out")
    try:
        owned.check_owned(folder, WRITTEN)
    except FileRefusedError as error:
        raise RunError(f"{error} with --out") from error


def check_there(folder: Path) -> None:
    """Raise RunError if there is no such folder, or it does not say which run it holds."""
    shown = printable(folder, None)
    if not folder.is_dir():
        raise RunError(f"there is no run to resume in {shown}: check the folder, or train without --resume")
    content = _content(folder)
    if content is None:
        raise RunError(f"{shown} has no {CONFIG}, so nothing says which run to resume: restore that file, or train "
                       "without --resume in another folder")
    if "import" in content:
        raise RunError(f"{shown} holds imported weights, and no run to resume: fine-tune them with --init-from {shown} "
                       "and another --out")


def _next_free(name: str) -> Path:
    """Make runs/NAME-NUMBER with the first free number.  Raises RunError if ``runs`` cannot be a folder."""
    runs, name = Path("runs"), folder_name(name)
    try:
        runs.mkdir(exist_ok=True)
        for number in count(1):
            folder = runs / f"{name}-{number:03}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except FileExistsError:
        raise RunError("runs is no folder (a file, or a link to nothing), so the run cannot go there: remove it, or "
                       "name a folder with --out") from None
    except OSError as error:
        raise RunError(f"no folder can be made in runs ({error.strerror}): name one with --out") from error
    raise AssertionError


def folder_name(name: str) -> str:
    """A name as that of a folder: letters, digits, dots, - and _ only."""
    return re.sub(r"[^\w.-]+", "-", name).lstrip(".-") or "run"


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing, or only its lock and what a crash left of files that were never there."""
    return {*folder.iterdir()} <= {folder / LOCK, folder / LEASE, *owned.leftovers(folder, WRITTEN)}


def versions() -> dict[str, str]:
    """Versions of what a run was made with, for config.json."""
    return {"minimixer": __version__, "python": platform.python_version(), "numpy": np.__version__,
            "machine": platform.machine()}


def write_config(folder: Path, config: TrainConfig, **more: Any) -> None:
    """Write config.json: the configuration, and ``more`` about the run."""
    content = files.json_text({"config": asdict(config), **more}, indent=2, default=str) + "\n"
    files.write_atomically(folder / CONFIG, content.encode())


def begin_config(folder: Path, config: TrainConfig, *, environment: Mapping[str, Any], begun: str | None,
                 **more: Any) -> None:
    """Write config.json before anything else of a run, and delete the run that it replaces.

    Parameters
    ----------
    folder : Path
    config : TrainConfig
        With ``overwrite``, the folder may hold another run.
    environment : mapping
        What the run computes with now; that of its beginning stays beside it, as ``first_environment``.
    begun : str or None
        Digest of the configuration that the run was begun with; None for runs of older versions.
    **more
        More about the run.

    Raises
    ------
    FileRefusedError
        If ``overwrite`` finds what minimixer did not write; then nothing is changed.
    """
    before = (_content(folder) or {}) if config.resume else {}
    first = before.get("first_environment", before.get("environment", environment))
    about = {**more, "environment": environment, "first_environment": first}
    if begun is not None:
        about["begun"] = begun
    replaces = config.overwrite and not is_empty(folder)
    if replaces or "replaces" in before:                # if the end comes now, --resume finishes the deletion
        owned.check_owned(folder, WRITTEN)
        write_config(folder, config, replaces=True, **about)
        owned.remove_owned(folder, WRITTEN, keep=(CONFIG, LOCK, LEASE))
    write_config(folder, config, **about)


def begun_as(folder: Path) -> str | None:
    """The digest of the configuration that a run was begun with; None if its config.json has none."""
    said = (_content(folder) or {}).get("begun")
    return said if isinstance(said, str) else None


def told_in(folder: Path, about: str) -> dict[str, Any]:
    """What config.json says about one part of a run, such as ``"dataset"``; empty if nothing.  Raises RunError."""
    said = (_content(folder) or {}).get(about)
    return said if isinstance(said, dict) else {}


def is_being_replaced(folder: Path) -> bool:
    """Whether --overwrite was ended before it had deleted the old run's files."""
    return "replaces" in (_content(folder) or {})


def _content(folder: Path) -> dict[str, Any] | None:
    """What config.json holds; None if there is none.  Raises RunError if it cannot be read."""
    path = folder / CONFIG
    try:
        content = files.read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
            raise FileRefusedError("its entry config is missing")
    except FileNotFoundError:
        return None
    except (OSError, FileRefusedError) as error:
        raise RunError(f"{printable(path, None)} is not a whole configuration ({error}): restore it, or train anew in "
                       "another folder") from error
    return content


def read_config(folder: Path) -> TrainConfig | None:
    """The configuration that a run folder keeps; None if there is none.  Raises RunError if it cannot be read."""
    folder = files.expand(folder)
    content = _content(folder)
    if content is None:
        return None
    try:
        return TrainConfig(**{**without_old_names(content["config"]), "resume": False, "overwrite": False,
                              "saved": True})
    except (ValueError, TypeError) as error:
        raise RunError(f"{printable(folder / CONFIG, None)} is not a whole configuration ({error}): restore it, or "
                       "train anew in another folder") from error


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
