"""The notebooks of the package: which there are, in which languages, and their copies in the student's folder."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from minimixer.errors import MinimixerError, UsageError
from minimixer.files import set_aside, write_atomically

ENGLISH = "en"


@dataclass(frozen=True)
class Lesson:
    """A notebook of the package, as its first cell describes it."""

    number: str
    title: str
    reading: str            # minutes
    doing: str
    needs: str
    path: Path


def lessons(lang: str = ENGLISH) -> list[Lesson]:
    """All lessons of a language in order.

    Raises MinimixerError if the package came without them, UsageError if there is no lesson in this language.
    """
    known = _known()
    if lang not in known:
        raise UsageError(f"there are no lessons in the language {lang!r}: expected one of {', '.join(known)}")
    return [_read(path) for path in known[lang]]


def _known() -> dict[str, list[Path]]:
    """The notebooks of each language, English first; another one has a folder with its name."""
    package = Path(__file__).parent.parent
    # In a wheel they are inside the package, in a source checkout next to it.
    for folder in (package / "_lessons", package.parent / "lessons" / "notebooks"):
        if found := _notebooks(folder):
            return {ENGLISH: found} | {place.name: there for place in sorted(folder.iterdir())
                                       if place.is_dir() and (there := _notebooks(place))}
    raise MinimixerError("the notebooks are missing from minimixer/_lessons: install minimixer again")


def _notebooks(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9][0-9]_*.ipynb"))


def languages() -> list[str]:
    """The languages that some lessons have apart from English."""
    return [lang for lang in _known() if lang != ENGLISH]


def _read(path: Path) -> Lesson:
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    title = re.search(r"^# \d+ (.+)$", first, re.M)
    facts = re.findall(r"^- \*\*[^*:]+:\*\* (.+)$", first, re.M)       # time, needs, ...: so named in any language
    times = re.findall(r"\d+", facts[0].partition(" (")[0]) if len(facts) > 1 else []       # to read, to do, seconds
    if not title or len(times) != 3:
        raise MinimixerError(f"{path} does not start like a lesson: install minimixer again")
    return Lesson(path.stem[:2], title[1], times[0], times[1], facts[1], path)


def targets(folder: Path, lang: str = ENGLISH) -> dict[Path, Path]:
    """Each notebook, and where in a folder it is copied: another language has a folder inside, and links to English."""
    english = {lesson.path: folder / lesson.path.name for lesson in lessons()}
    return english if lang == ENGLISH else english | {
        lesson.path: folder / lang / lesson.path.name for lesson in lessons(lang)}


def copy(folder: Path, force: bool = False, lang: str = ENGLISH) -> tuple[list[Path], list[Path]]:
    """Copy the notebooks into a folder; existing files are kept, under another name if ``force``.

    Parameters
    ----------
    folder : Path
        Created if missing.
    force : bool
        Put fresh notebooks in the place of those that differ, which get names such as ``01_arrays.yours-1.ipynb``.
    lang : str
        With another language, its notebooks are copied too, into a folder of its name inside this one.

    Returns
    -------
    copied, kept : lists of Path
        ``kept`` are existing files that differ, by the names they have now.

    Raises
    ------
    UsageError
        If a folder is a file, or there is no lesson in this language.
    """
    copied, kept = [], []
    for notebook, target in targets(folder, lang).items():
        _make_folder(target.parent)
        content = notebook.read_bytes()
        if os.path.lexists(target):
            if target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content:
                continue
            kept.append(set_aside(target) if force else target)
            if not force:
                continue
        write_atomically(target, content)
        copied.append(target)
    return copied, kept


def _make_folder(folder: Path) -> None:
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder for the notebooks")
    folder.mkdir(parents=True, exist_ok=True)
