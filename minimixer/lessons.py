"""``minimixer lessons``: list the lessons, copy them to where the student works, open them."""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from minimixer.errors import OK, MinimixerError, UsageError, run_command

LessonNumber = Annotated[str, tyro.conf.arg(metavar="[LESSON]", help_behavior_hint="")]
WORKPLACE = Path("minimixer-lessons")
INSTALL = 'pip install "minimixer[lessons]"'


@dataclass(frozen=True)
class Lesson:
    """A notebook that comes with the package, and what its first cell says."""

    number: str
    title: str
    minutes: int
    needs: str
    path: Path


def lessons() -> list[Lesson]:
    """Every lesson in order.  Raises MinimixerError where the package came without them."""
    package = Path(__file__).parent
    # In a wheel they lie in the package, in a source checkout beside it.
    for folder in (package / "_lessons", package.parent / "lessons" / "notebooks"):
        if found := [_read(path) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]:
            return found
    raise MinimixerError("the notebooks are not where they belong, in minimixer/_lessons: install minimixer again")


def _read(path: Path) -> Lesson:
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    title, minutes = re.search(r"^# \d+ (.+)$", first, re.M), re.search(r"\*\*Time:\*\* (\d+)", first)
    needs = re.search(r"\*\*Needs:\*\* (.+)$", first, re.M)
    if not title or not minutes or not needs:
        raise MinimixerError(f"{path} does not begin as a lesson does: install minimixer again")
    return Lesson(path.stem[:2], title[1], int(minutes[1]), needs[1], path)


def list_lessons() -> int:
    """Show every lesson, how long it takes and what it needs."""
    from rich.console import Console
    from rich.table import Table
    table = Table("", "lesson", "minutes", "needs", box=None, padding=(0, 2, 0, 0))
    table.columns[2].justify = "right"
    for lesson in lessons():
        table.add_row(lesson.number, lesson.title, str(lesson.minutes), lesson.needs)
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print("\nminimixer lessons open 01   copies them to your folder and starts Jupyter")
    return OK


def copy(folder: Path, force: bool = False) -> tuple[list[Path], list[Path]]:
    """Copy every notebook into a folder; one that is there already stays as it is, unless ``force``.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    force : bool
        Replace notebooks that differ; what the student wrote in them is lost.

    Returns
    -------
    copied, kept : lists of Path
        ``kept`` are those that were there and differ.

    Raises
    ------
    UsageError
        If the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder for the notebooks")
    folder.mkdir(parents=True, exist_ok=True)
    copied, kept = [], []
    for lesson in lessons():
        target, content = folder / lesson.path.name, lesson.path.read_bytes()
        if not target.exists() or (force and target.read_bytes() != content):
            target.write_bytes(content)
            copied.append(target)
        elif target.read_bytes() != content:
            kept.append(target)
    return copied, kept


def copy_lessons(folder: Path, /, force: bool = False) -> int:
    """Copy the notebooks to where you work.  Notebooks that are there already are kept.

    Parameters
    ----------
    folder
        Where to; made if it is missing.
    force
        Replace your notebooks too.  What you wrote in them is lost.
    """
    copied, kept = copy(folder, force)
    already = len(lessons()) - len(copied) - len(kept)
    print(f"copied {len(copied)} of {len(lessons())} notebooks to {folder}"
          + (f"; {already} are there already" if already else ""))
    if kept:
        print(f"kept {len(kept)} of yours that differ ({', '.join(path.name for path in kept)}); --force replaces them")
    return OK


def open_lessons(lesson: LessonNumber = "", /, folder: Path = WORKPLACE) -> int:
    """Copy the notebooks that are missing, and start Jupyter there.

    Parameters
    ----------
    lesson
        The number of a lesson to open, such as 02; without it, the folder is opened.
    folder
        Where you work.
    """
    known = {entry.number: entry for entry in lessons()}
    if lesson and lesson.zfill(2) not in known:
        raise UsageError(f"there is no lesson {lesson!r}: expected one of {', '.join(known)}")
    copy(folder)
    place = folder / known[lesson.zfill(2)].path.name if lesson else folder
    if importlib.util.find_spec("jupyterlab") is None:
        raise MinimixerError(f"JupyterLab is not installed: {INSTALL}, then run this again; the notebooks are in "
                             f"{folder}, and any other notebook editor opens them too")
    print(f"JupyterLab opens {place} in your browser; Ctrl-C here ends it.", flush=True)
    code = subprocess.run([sys.executable, "-m", "jupyterlab", str(place)], check=False).returncode
    if code:
        raise MinimixerError(f"JupyterLab ended with exit code {code}, its last lines say why; the notebooks are in "
                             f"{folder}, and any other notebook editor opens them too")
    return OK


COMMANDS: dict[str, Callable[..., Any]] = {"list": list_lessons, "copy": copy_lessons, "open": open_lessons}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of list, copy and open, and return the exit code."""
    def command() -> int:
        given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
        return tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="minimixer lessons", args=given, config=(tyro.conf.FlagCreatePairsOff,),
            description="Notebooks that build minimixer with you, from a broadcast to a whole Mixer.")

    return run_command("lessons", command)


if __name__ == "__main__":
    sys.exit(main())
