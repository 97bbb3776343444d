"""Read and run a student's file, ``.py`` or ``.ipynb``."""

import errno
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from minimixer.errors import MinimixerError
from minimixer.exercises.answers.decode import NotTextError, decode
from minimixer.exercises.answers.notebook import NotANotebookError, exported, sources
from minimixer.exercises.answers.python import mend, parse, without_automagic, without_stubs
from minimixer.exercises.answers.reader import Reader
from minimixer.exercises.definitions import load, names
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


def notes(path: Path) -> tuple[str, ...]:
    """What to say about how a file was saved; nothing if it cannot be read, which the check says."""
    try:
        return read_file(path).notes
    except SubmissionError:
        return ()


def cells(path: Path) -> list[tuple[str, str]]:
    """Name and text of each code cell of a submission; a ``.py`` file is one cell.  Raises SubmissionError."""
    return list(read_file(path).cells)


def run(path: Path, module: str) -> dict[str, Any]:
    """Run a submission and return its namespace.

    What fails is passed over, and printed; so a cell that mounts a drive, or a test at the end, costs nothing.  If the
    answer of the exercise ``module`` is missing for that reason, the error is raised.

    Raises
    ------
    SubmissionError, SyntaxError, and whatever the code raises
    """
    sys.modules[module] = ran = ModuleType(module)          # dataclasses, for example, look it up there
    namespace = vars(ran)
    namespace["__file__"] = str(path)
    sys.path.append(str(path.parent))           # what it writes beside itself, it may import
    wanted = {task.function.split(".")[0] for task in load(module).tasks} if module in names() else set()
    reader = Reader(namespace, is_notebook(path.name), wanted)
    for name, text in cells(path):
        reader.cell(name, text)
    if reader.failures and not wanted <= namespace.keys():
        raise next((error for error, costs in reader.failures if costs), reader.failures[0][0])
    if reader.skipped:
        print("".join(f"\npassed over: {line}" for line in reader.skipped))
    return namespace
