"""What minimixer has written into a folder: by name, and by the proof that the folder is its own."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from minimixer.files import LEFTOVER, FileRefusedError, is_unfinished, read_json, remove
from minimixer.text import printable


def made_by_a_run(folder: Path) -> bool:
    """Whether a folder holds the config.json of a run."""
    try:
        content = read_json(folder / "config.json")
    except (OSError, FileRefusedError):
        return False
    return isinstance(content, dict) and isinstance(content.get("config"), dict)


def is_among(path: Path, names: Sequence[str]) -> bool:
    """Whether a path has one of these names (``*`` and ``?`` as in the shell), or is an unfinished file of one."""
    unfinished = LEFTOVER.fullmatch(path.name)
    return any(fnmatchcase(unfinished[1] if unfinished else path.name, name) for name in names)


def leftovers(folder: Path, names: Sequence[str]) -> list[Path]:
    """The unfinished files of these names that a crash has left in a folder."""
    return [path for path in sorted(folder.iterdir()) if is_unfinished(path) and is_among(path, names)]


def remove_leftovers(folder: Path, names: Sequence[str]) -> list[Path]:
    """Delete the unfinished files of these names that a crash has left in a folder, and return them.

    Only the owner of the folder may call it: another process may still be writing its unfinished file.
    """
    found = leftovers(folder, names)
    for path in found:
        remove(path, proof=is_unfinished)
    return found


def check_owned(folder: Path, names: Sequence[str], proof: Callable[[Path], bool] = made_by_a_run) -> list[Path]:
    """The files that ``remove_owned`` would delete.  Raises FileRefusedError as it does; nothing is deleted."""
    shown = printable(folder, None)
    if folder.is_symlink() or not folder.is_dir():
        raise FileRefusedError(f"{shown} is not a folder of its own, so nothing in it is deleted: name another folder")
    inside = sorted(folder.iterdir())
    if inside and not proof(folder):
        raise FileRefusedError(f"{shown} was not made by minimixer (it has no config.json that proves it), so nothing "
                               "in it is deleted: name another folder")
    foreign = [path.name for path in inside if not is_among(path, names) or _is_folder(path)]
    if foreign:
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise FileRefusedError(f"{shown} holds {', '.join(printable(name) for name in foreign[:3])}{more}, not written "
                               "by minimixer, so nothing in it is deleted: move that away, or name another folder")
    return inside


def remove_owned(folder: Path, names: Sequence[str], proof: Callable[[Path], bool] = made_by_a_run,
                 keep: Sequence[str] = ()) -> None:
    """Delete what minimixer wrote into a folder that it made; the folder itself stays.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        Names of all files that minimixer writes there; ``*`` and ``?`` as in the shell.
    proof : callable
        Whether minimixer made the folder; by default by the config.json of a run.
    keep : sequence of str
        Names of those that stay.

    Raises
    ------
    FileRefusedError
        If there is no proof, or the folder holds anything else, which is named.  Then nothing is deleted.
    """
    for path in check_owned(folder, names, proof):
        if path.name not in keep:
            remove(path, proof=lambda path: is_among(path, names) and not _is_folder(path))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
