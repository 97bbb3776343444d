"""``minimixer lessons``: list the notebooks, copy them to the student's folder, open them."""

import importlib.util
import os
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from signal import SIGINT
from typing import Annotated

import tyro

from minimixer.commands.notebooks import ENGLISH, copy, languages, lessons, targets
from minimixer.console import run_subcommand, show, table
from minimixer.errors import OK, MinimixerError, UsageError, command_line
from minimixer.text import printable
from minimixer.train.signals import signals_into

LessonNumber = Annotated[str, tyro.conf.arg(metavar="[LESSON]", help_behavior_hint="")]
Ip = Annotated[str | None, tyro.conf.arg(metavar="ADDRESS", help_behavior_hint="")]
Language = Annotated[str, tyro.conf.arg(metavar="LANGUAGE", help_behavior_hint="")]
Port = Annotated[int | None, tyro.conf.arg(metavar="PORT", help_behavior_hint="")]
WORKPLACE = Path("minimixer-lessons")
WITHOUT_ASKING = "--ServerApp.answer_yes=True"      # or Ctrl-C would ask "Shut down this server (y/[n])?"
INSTALL = 'pip install "minimixer[lessons]"'


def list_lessons(lang: Language = ENGLISH) -> int:
    """List the lessons, the minutes each takes to read and to do, and what it needs.

    Parameters
    ----------
    lang
        Language of the lessons: en (all of them) or ko (Korean, some of them).
    """
    rows = table("", "lesson", ">min to read", ">to do", "needs")
    found = lessons(lang)
    for lesson in found:
        rows.add_row(lesson.number, lesson.title, lesson.reading, lesson.doing, lesson.needs)
    show(rows)
    command = command_line("minimixer", "lessons", "open", found[0].number, *_language(lang))
    print(f"\n{command}   copies them to your folder and starts Jupyter")
    if lang == ENGLISH:
        for other in languages():
            print(f"--lang {other} lists those that are translated: "
                  f"{', '.join(lesson.number for lesson in lessons(other))}")
    else:
        print("the others are in English: minimixer lessons list")
    return OK


def _language(lang: str) -> list[str]:
    return [] if lang == ENGLISH else ["--lang", lang]


def copy_lessons(folder: Path, /, force: bool = False, lang: Language = ENGLISH) -> int:
    """Copy the notebooks into a folder.  Existing notebooks are kept.

    Parameters
    ----------
    folder
        Target folder; created if missing.
    force
        Copy those too that you have changed.  Yours are kept, as NAME.yours-1.ipynb.
    lang
        en, or ko for Korean: those that are translated come too, into a folder ko inside it.
    """
    copied, kept = copy(folder, force, lang)
    number = len(targets(folder, lang))
    already = number - len(copied) - len(kept)
    print(f"copied {len(copied)} of {number} notebooks to {folder}"
          + (f"; {already} are there already" if already else ""))
    if lang != ENGLISH:
        print(f"those in the language {lang} are in {folder / lang}: "
              f"{', '.join(lesson.number for lesson in lessons(lang))}")
    if kept:
        again = command_line("minimixer", "lessons", "copy", f"{folder}-new", *_language(lang))
        hint = "" if force else f"; for fresh ones, {again}"
        print(f"kept {len(kept)} of yours that differ ({', '.join(printable(path.name) for path in kept)}){hint}")
    return OK


def open_lessons(lesson: LessonNumber = "", /, folder: Path = WORKPLACE, no_browser: bool = False,
                 allow_root: bool = False, ip: Ip = None, port: Port = None, lang: Language = ENGLISH,
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
    lang
        en, or ko for Korean, which some lessons have.
    """
    number, known = lesson.zfill(2), {entry.number: entry for entry in lessons(lang)}
    if lesson and number not in known:
        raise UsageError(_no_lesson(lesson, list(known), lang))
    if port is not None and not 0 < port < 1 << 16:
        raise UsageError(f"--port is {port}: expected a number from 1 to 65535")
    start = folder if lang == ENGLISH else folder / lang
    place = start / known[number].path.name if lesson else start
    shown = not no_browser and has_browser()
    options = [WITHOUT_ASKING, *["--no-browser"] * (not shown), *["--allow-root"] * allow_root,
               *([f"--ip={ip}"] if ip is not None else []), *([f"--port={port}"] if port is not None else []),
               *_root(start, folder)]
    check_jupyter(jupyter, options)
    copy(folder, lang=lang)
    if importlib.util.find_spec("jupyterlab") is None:
        raise MinimixerError(f"JupyterLab is not installed: {INSTALL}, then run this again; the notebooks are in "
                             f"{folder}, and any other notebook editor opens them too")
    print(f"JupyterLab opens {place} in your browser; Ctrl-C here ends it." if shown else
          f"JupyterLab serves {place.resolve()}: open the address that it prints below; Ctrl-C here ends it.",
          flush=True)
    opened = [] if place == start != folder else [str(place)]
    code, signal = serve([sys.executable, "-m", "jupyterlab", *options, *jupyter, *opened])
    if signal:
        return OK if signal == SIGINT else 128 + signal
    if code:
        root = ("; you are root, and Jupyter does not run as root unless you add --allow-root"
                if hasattr(os, "geteuid") and os.geteuid() == 0 and not allow_root else "")
        raise MinimixerError(f"JupyterLab ended with exit code {code}, its last lines say why{root}; the notebooks are "
                             f"in {folder}, and any other notebook editor opens them too")
    return OK


def _root(start: Path, folder: Path) -> list[str]:
    """What makes Jupyter begin in a folder inside the one whose notebooks it may open."""
    return [] if start == folder else [f"--ServerApp.root_dir={folder.resolve()}",
                                       f"--FileContentsManager.preferred_dir={start.resolve()}"]


def _no_lesson(lesson: str, known: Sequence[str], lang: str) -> str:
    if lang != ENGLISH and any(entry.number == lesson.zfill(2) for entry in lessons()):
        return (f"lesson {lesson} is not translated: the language {lang} has {', '.join(known)}; leave out --lang for "
                "the English one")
    return f"there is no lesson {lesson!r}: expected one of {', '.join(known)}"


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
