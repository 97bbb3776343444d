"""``minimixer lessons``: list the notebooks, copy them to the student's folder, open them."""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from minimixer.console import run_subcommand, show, table
from minimixer.errors import OK, MinimixerError, UsageError

LessonNumber = Annotated[str, tyro.conf.arg(metavar="[LESSON]", help_behavior_hint="")]
WORKPLACE = Path("minimixer-lessons")
INSTALL = 'pip install "minimixer[lessons]"'


@dataclass(frozen=True)
class Lesson:
    """A notebook of the package, as its first cell describes it."""

    number: str
    title: str
    minutes: int
    needs: str
    path: Path


def lessons() -> list[Lesson]:
    """All lessons in order.  Raises MinimixerError if the package came without them."""
    package = Path(__file__).parent.parent
    # In a wheel they are inside the package, in a source checkout next to it.
    for folder in (package / "_lessons", package.parent / "lessons" / "notebooks"):
        if found := [_read(path) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]:
            return found
    raise MinimixerError("the notebooks are missing from minimixer/_lessons: install minimixer again")


def _read(path: Path) -> Lesson:
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    title, minutes = re.search(r"^# \d+ (.+)$", first, re.M), re.search(r"\*\*Time:\*\* (\d+)", first)
    needs = re.search(r"\*\*Needs:\*\* (.+)$", first, re.M)
    if not title or not minutes or not needs:
        raise MinimixerError(f"{path} does not start like a lesson: install minimixer again")
    return Lesson(path.stem[:2], title[1], int(minutes[1]), needs[1], path)


def list_lessons() -> int:
    """List the lessons, the minutes each takes and what it needs."""
    rows = table("", "lesson", ">minutes", "needs")
    for lesson in lessons():
        rows.add_row(lesson.number, lesson.title, str(lesson.minutes), lesson.needs)
    show(rows)
    print("\nminimixer lessons open 01   copies them to your folder and starts Jupyter")
    return OK


def copy(folder: Path, force: bool = False) -> tuple[list[Path], list[Path]]:
    """Copy every notebook into a folder; existing files are kept, unless ``force``.

    Parameters
    ----------
    folder : Path
        Created if missing.
    force : bool
        Replace notebooks that differ; the student's changes are lost.

    Returns
    -------
    copied, kept : lists of Path
        ``kept`` are existing notebooks that differ.

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
    """Copy the notebooks into a folder.  Existing notebooks are kept.

    Parameters
    ----------
    folder
        Target folder; created if missing.
    force
        Replace your notebooks too.  Your changes in them are lost.
    """
    copied, kept = copy(folder, force)
    already = len(lessons()) - len(copied) - len(kept)
    print(f"copied {len(copied)} of {len(lessons())} notebooks to {folder}"
          + (f"; {already} are there already" if already else ""))
    if kept:
        print(f"kept {len(kept)} of yours that differ ({', '.join(path.name for path in kept)}); --force replaces them")
    return OK


def open_lessons(lesson: LessonNumber = "", /, folder: Path = WORKPLACE) -> int:
    """Copy the missing notebooks into a folder, and start Jupyter there.

    Parameters
    ----------
    lesson
        Number of the lesson to open, such as 02; by default the folder is opened.
    folder
        Your working folder.
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


def main(arguments: Sequence[str]) -> int:
    """Run one of list, copy and open, and return the exit code."""
    return run_subcommand("lessons", "Notebooks in which you build minimixer, from broadcasting to a Mixer.",
                          arguments or ["--help"], list=list_lessons, copy=copy_lessons, open=open_lessons)
