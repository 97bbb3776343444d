"""``minimixer lessons``: list the notebooks, copy them to the student's folder, open them."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGINT
from typing import Annotated

import tyro

from minimixer.console import run_subcommand, show, table
from minimixer.errors import OK, MinimixerError, UsageError, command_line
from minimixer.files import set_aside, write_atomically
from minimixer.text import printable
from minimixer.train.signals import signals_into

LessonNumber = Annotated[str, tyro.conf.arg(metavar="[LESSON]", help_behavior_hint="")]
Ip = Annotated[str | None, tyro.conf.arg(metavar="ADDRESS", help_behavior_hint="")]
Port = Annotated[int | None, tyro.conf.arg(metavar="PORT", help_behavior_hint="")]
WORKPLACE = Path("minimixer-lessons")
WITHOUT_ASKING = "--ServerApp.answer_yes=True"      # or Ctrl-C would ask "Shut down this server (y/[n])?"
INSTALL = 'pip install "minimixer[lessons]"'


@dataclass(frozen=True)
class Lesson:
    """A notebook of the package, as its first cell describes it."""

    number: str
    title: str
    reading: str            # minutes
    doing: str
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
    title = re.search(r"^# \d+ (.+)$", first, re.M)
    minutes = re.search(r"\*\*Time:\*\* (\d+) minutes? to read, (\d+) to do,", first)
    needs = re.search(r"\*\*Needs:\*\* (.+)$", first, re.M)
    if not title or not minutes or not needs:
        raise MinimixerError(f"{path} does not start like a lesson: install minimixer again")
    return Lesson(path.stem[:2], title[1], minutes[1], minutes[2], needs[1], path)


def list_lessons() -> int:
    """List the lessons, the minutes each takes to read and to do, and what it needs."""
    rows = table("", "lesson", ">min to read", ">to do", "needs")
    for lesson in lessons():
        rows.add_row(lesson.number, lesson.title, lesson.reading, lesson.doing, lesson.needs)
    show(rows)
    print("\nminimixer lessons open 01   copies them to your folder and starts Jupyter")
    return OK


def copy(folder: Path, force: bool = False) -> tuple[list[Path], list[Path]]:
    """Copy every notebook into a folder; existing files are kept, under another name if ``force``.

    Parameters
    ----------
    folder : Path
        Created if missing.
    force : bool
        Put fresh notebooks in the place of those that differ, which get names such as ``01_arrays.yours-1.ipynb``.

    Returns
    -------
    copied, kept : lists of Path
        ``kept`` are existing files that differ, by the names they have now.

    Raises
    ------
    UsageError
        If the folder is a file.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder for the notebooks")
    folder.mkdir(parents=True, exist_ok=True)
    copied, kept = [], []
    for lesson in lessons():
        target, content = folder / lesson.path.name, lesson.path.read_bytes()
        if os.path.lexists(target):
            if target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content:
                continue
            kept.append(set_aside(target) if force else target)
            if not force:
                continue
        write_atomically(target, content)
        copied.append(target)
    return copied, kept


def copy_lessons(folder: Path, /, force: bool = False) -> int:
    """Copy the notebooks into a folder.  Existing notebooks are kept.

    Parameters
    ----------
    folder
        Target folder; created if missing.
    force
        Copy those too that you have changed.  Yours are kept, as NAME.yours-1.ipynb.
    """
    copied, kept = copy(folder, force)
    already = len(lessons()) - len(copied) - len(kept)
    print(f"copied {len(copied)} of {len(lessons())} notebooks to {folder}"
          + (f"; {already} are there already" if already else ""))
    if kept:
        hint = "" if force else f"; for fresh ones, {command_line('minimixer', 'lessons', 'copy', f'{folder}-new')}"
        print(f"kept {len(kept)} of yours that differ ({', '.join(printable(path.name) for path in kept)}){hint}")
    return OK


def open_lessons(lesson: LessonNumber = "", /, folder: Path = WORKPLACE, no_browser: bool = False,
                 allow_root: bool = False, ip: Ip = None, port: Port = None,
                 *, jupyter: tyro.conf.Suppress[tuple[str, ...]] = ()) -> int:
    """Copy the missing notebooks into a folder, and start Jupyter there.

    What follows -- goes to Jupyter as it is, such as: -- --ServerApp.token=secret

    Parameters
    ----------
    lesson
        Number of the lesson to open, such as 02; by default the folder is opened.
    folder
        Your working folder.
    no_browser
        Open no browser; Jupyter prints the address to open.
    allow_root
        Let Jupyter run as root, as in a container.
    ip
        Address that Jupyter listens on; 0.0.0.0 lets other machines connect.
    port
        Port that it listens on.
    """
    known = {entry.number: entry for entry in lessons()}
    if lesson and lesson.zfill(2) not in known:
        raise UsageError(f"there is no lesson {lesson!r}: expected one of {', '.join(known)}")
    if port is not None and not 0 < port < 1 << 16:
        raise UsageError(f"--port is {port}: expected a number from 1 to 65535")
    shown = not no_browser and has_browser()
    options = [WITHOUT_ASKING, *["--no-browser"] * (not shown), *["--allow-root"] * allow_root,
               *([f"--ip={ip}"] if ip is not None else []), *([f"--port={port}"] if port is not None else [])]
    check_jupyter(jupyter, options)
    copy(folder)
    place = folder / known[lesson.zfill(2)].path.name if lesson else folder
    if importlib.util.find_spec("jupyterlab") is None:
        raise MinimixerError(f"JupyterLab is not installed: {INSTALL}, then run this again; the notebooks are in "
                             f"{folder}, and any other notebook editor opens them too")
    print(f"JupyterLab opens {place} in your browser; Ctrl-C here ends it." if shown else
          f"JupyterLab serves {place.resolve()}: open the address that it prints below; Ctrl-C here ends it.",
          flush=True)
    code, signal = serve([sys.executable, "-m", "jupyterlab", *options, *jupyter, str(place)])
    if signal:
        return OK if signal == SIGINT else 128 + signal
    if code:
        root = ("; you are root, and Jupyter does not run as root unless you add --allow-root"
                if hasattr(os, "geteuid") and os.geteuid() == 0 and not allow_root else "")
        raise MinimixerError(f"JupyterLab ended with exit code {code}, its last lines say why{root}; the notebooks are "
                             f"in {folder}, and any other notebook editor opens them too")
    return OK


def serve(command: Sequence[str]) -> tuple[int, int]:
    """Run a server until it ends; returns its exit code, and the signal that ended it by way of this process, or 0.

    A signal that asks this process to end makes the server shut down, with its kernels; a second one kills it.
    """
    asked: list[int] = []
    started: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int) -> None:
        asked.append(number)
        for process in started:
            if os.name != "nt":             # where terminate() kills, and Ctrl-C has reached the server anyway
                process.terminate()

    with signals_into(pass_on):
        process = subprocess.Popen(command)
        started.append(process)
        try:
            if asked:                       # while it was started
                pass_on(asked.pop())
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
    return code, asked[0] if asked else 0


def has_browser() -> bool:
    """Whether there is a browser that Python could open a page in."""
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def check_jupyter(words: Sequence[str], options: Sequence[str]) -> None:
    """Raise UsageError for an option of Jupyter that stands after -- and is among ``options`` already."""
    given = {option.partition("=")[0] for option in options}
    for word in words:
        if (name := word.partition("=")[0]) in given:
            raise UsageError(f"{printable(name)} after -- is given to Jupyter already: leave it out there")


def main(arguments: Sequence[str]) -> int:
    """Run one of list, copy and open, and return the exit code."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    own, jupyter = arguments[:at], tuple(arguments[at + 1:])
    if at < len(arguments) and own[:1] != ["open"]:
        raise UsageError(f"-- {command_line(*jupyter)} has no effect here: only minimixer lessons open gives options "
                         "to Jupyter")
    opened: Callable[..., int] = partial(open_lessons, jupyter=jupyter)
    return run_subcommand("lessons", "Notebooks in which you build minimixer, from broadcasting to a Mixer.",
                          own or ["--help"], list=list_lessons, copy=copy_lessons, open=opened)
