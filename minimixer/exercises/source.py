"""Read and run a student's file, ``.py`` or ``.ipynb``."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from minimixer.errors import MinimixerError
from minimixer.exercises.answers.decode import NotTextError, decode
from minimixer.exercises.answers.notebook import NotANotebookError, exported, sources
from minimixer.exercises.answers.python import parse
from minimixer.exercises.answers.reader import Reader, definitions, folder_is_importable
from minimixer.exercises.definitions import load, names
from minimixer.exercises.task import Exercise

LARGEST = 1 << 20                   # bytes of code
LARGEST_NOTEBOOK = 50 << 20         # bytes of a whole notebook, whose outputs may hold images
STUDENT = Path(__file__).parent / "student"
NBGRADER = re.compile(r"(?<=^# %%) nbgrader=.*$", re.MULTILINE)       # means nothing in a Python file
skipped: list[str] = []             # what the last `run` passed over, a line each


class SubmissionError(MinimixerError):
    """A file that cannot be read as a submission."""


@dataclass(frozen=True)
class Text:
    """What a file says: its code cells by name (a ``.py`` file is one), and notes on how it was saved."""

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
    notes = [note] if note else []
    for cell, code in cells:
        try:
            mended = parse(code, cell)[1]
        except SyntaxError:
            if not notebook and len(parts := exported(code)) > 1:       # one broken cell must not cost the others
                cells = [(name, part) for part in parts]
            continue
        if mended and mended not in notes:
            notes.append(mended)
    return Text(tuple(cells), tuple(notes))


def read_file(path: Path) -> Text:
    """What a file says.  Raises SubmissionError."""
    try:
        if path.stat().st_size > LARGEST_NOTEBOOK:
            raise SubmissionError(f"{path.name} is larger than {LARGEST_NOTEBOOK >> 20} MiB")
        return read(path.name, path.read_bytes())
    except OSError as error:
        raise SubmissionError(f"{path.name} cannot be read: {error.strerror}") from None


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
    folder_is_importable(str(path.parent))
    known = module in names()
    stubs = definitions(parse(fresh(load(module)))[0]) if known else {}
    reader = Reader(namespace, is_notebook(path.name), stubs)
    for name, text in cells(path):
        if not reader.cell(name, text):
            break
    skipped[:] = reader.skipped
    for line in skipped:
        print(f"\npassed over: {line}", end="")
    if skipped:
        print()
    answered = not known or {task.function.split(".")[0] for task in load(module).tasks} <= namespace.keys()
    is_script = not is_notebook(path.name) and len(reader.failures) == 1
    for error, costs in reader.failures:
        if not answered and (costs or (is_script and isinstance(error, SyntaxError))):
            raise error
    return namespace
