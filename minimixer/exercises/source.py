"""Read a student's file, ``.py`` or ``.ipynb``."""

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from minimixer.errors import MinimixerError
from minimixer.exercises.answers.decode import NotTextError, decode
from minimixer.exercises.answers.notebook import NotANotebookError, exported, sources
from minimixer.exercises.answers.python import mend, parse, without_automagic, without_stubs
from minimixer.exercises.task import Exercise

LARGEST = 1 << 20                   # bytes of code
LARGEST_NOTEBOOK = 50 << 20         # bytes of a whole notebook, whose outputs may hold images
STUDENT = Path(__file__).parent / "student"
NBGRADER = re.compile(r"(?<=^# %%) nbgrader=.*$", re.MULTILINE)       # means nothing in a Python file


class SubmissionError(MinimixerError):
    """A file that cannot be read as a submission."""


@dataclass(frozen=True)
class Text:
    """What a file says: its code cells by name, as Python (a ``.py`` file is one), and notes on how it was saved."""

    cells: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()


def fresh(exercise: Exercise) -> str:
    """The text of the file that ``start`` creates."""
    return NBGRADER.sub("", (STUDENT / exercise.filename).read_text(encoding="utf-8"))


def is_notebook(name: str) -> bool:
    """Whether a file is a notebook by its name: browsers save some as ``.ipynb.json`` or ``.ipynb.txt``."""
    return re.search(r"\.ipynb(\.\w+)?$", name.lower()) is not None


def read(name: str, content: bytes) -> Text:
    """What a file says.  Raises SubmissionError."""
    notebook = is_notebook(name)
    if len(content) > (most := LARGEST_NOTEBOOK if notebook else LARGEST):
        raise SubmissionError(f"{name} is larger than {most >> 20} MiB")
    try:
        text, note = decode(content)
        if notebook:
            cells = [(f"code cell {number}", source) for number, source in enumerate(sources(text), 1)]
        else:
            cells = [(name, text)]
    except (NotTextError, NotANotebookError) as error:
        raise SubmissionError(f"{name} cannot be read: {error}") from None
    if sum(len(code) for _, code in cells) > LARGEST:
        raise SubmissionError(f"{name} holds more than {LARGEST >> 20} MiB of code")
    if not notebook and len(parts := exported(text)) > 1 and not _parses(mend(text)[0]):
        cells = [(name, part) for part in parts]                # one broken cell must not cost the others
    if notebook:
        cells = without_automagic(cells)
    mended = [mend(code) for _, code in cells]
    notes = dict.fromkeys(said for said in (note, *(its for _, its in mended)) if said)
    python = [(cell, code) for (cell, _), (code, _) in zip(cells, mended, strict=True)]
    return Text(tuple(without_stubs(python)), tuple(notes))


def _parses(text: str) -> bool:
    try:
        parse(text)
    except SyntaxError:
        return False
    return True


def read_file(path: Path, name: str = "") -> Text:
    """What a file says; ``name`` is its own name where ``path`` is a copy.  Raises SubmissionError."""
    name = name or path.name
    try:
        content = read_bytes(path)
    except OSError as error:
        raise SubmissionError(f"{name} cannot be read: {error.strerror}") from None
    return read(name, content)


def read_bytes(path: Path) -> bytes:
    """The bytes of an ordinary file, and no more than tell that it is too large.  Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):          # reading a pipe could wait forever
            raise OSError(errno.EINVAL, "it is not an ordinary file")
        return file.read(LARGEST_NOTEBOOK + 1)
