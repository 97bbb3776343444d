"""Find and run a student's file, ``.py`` or ``.ipynb``."""

import ast
import contextlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from minimixer.errors import MinimixerError
from minimixer.exercises.task import Exercise

LARGEST = 1 << 20                   # bytes of code
LARGEST_NOTEBOOK = 50 << 20         # bytes of a whole notebook, whose outputs may hold images
STUDENT = Path(__file__).parent / "student"
NBGRADER = re.compile(r"(?<=^# %%) nbgrader=.*$", re.MULTILINE)       # means nothing in a Python file
# Magics, shell commands, their results assigned to a name, and `name?`.
FOR_IPYTHON = re.compile(r"\s*(%%?[a-zA-Z]|!(?!=)|\?|[\w.]+\?\??\s*$|[\w, ]+=\s*(!|%[a-zA-Z]))")
RUNS_PYTHON = ("%%time", "%%capture", "%%prun")         # cells under other %%magics are not Python


class SubmissionError(MinimixerError):
    """A file that cannot be read as a submission."""


def find_submission(folder: Path, exercise: Exercise) -> Path | None:
    """The file of an exercise in a folder or below it: any ``.py`` or ``.ipynb`` whose name starts with its id.

    Of several, files that are filled in come first, then ``.py`` before ``.ipynb``, the exact name before others, and
    alphabetical order.  Links are not followed.
    """
    found = [path for path in folder.rglob("*")
             if path.name.lower().startswith(exercise.id) and path.suffix.lower() in (".py", ".ipynb")
             and path.is_file() and not path.is_symlink() and ".ipynb_checkpoints" not in path.parts]
    return min(found, default=None, key=lambda path: (_is_untouched(path, exercise), path.suffix.lower() != ".py",
                                                      path.stem != Path(exercise.filename).stem, len(path.parts),
                                                      str(path)))


def fresh(exercise: Exercise) -> str:
    """The text of the file that ``start`` creates."""
    return NBGRADER.sub("", (STUDENT / exercise.filename).read_text(encoding="utf-8"))


def _is_untouched(path: Path, exercise: Exercise) -> bool:
    try:
        return path.suffix.lower() == ".py" and path.read_text(encoding="utf-8") == fresh(exercise)
    except (OSError, UnicodeDecodeError):
        return False


def cells(path: Path) -> list[tuple[str, str]]:
    """Name and text of each code cell of a submission; a ``.py`` file is one cell.  Raises SubmissionError."""
    is_notebook = path.suffix.lower() == ".ipynb"
    try:
        if path.stat().st_size > (most := LARGEST_NOTEBOOK if is_notebook else LARGEST):
            raise SubmissionError(f"{path.name} is larger than {most >> 20} MiB")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SubmissionError(f"{path.name} is not a text file") from None
    except OSError as error:
        raise SubmissionError(f"{path.name} cannot be read: {error.strerror}") from None
    if "\0" in text:
        raise SubmissionError(f"{path.name} is not a text file")
    found = _notebook(path, text) if is_notebook else [(path.name, text)]
    if sum(len(code) for _, code in found) > LARGEST:
        raise SubmissionError(f"{path.name} holds more than {LARGEST >> 20} MiB of code")
    return found


def _notebook(path: Path, text: str) -> list[tuple[str, str]]:
    try:
        sources = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        joined = [source if isinstance(source, str) else "".join(source) for source in sources]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SubmissionError(f"{path.name} is not a notebook") from None
    return [(f"code cell {number}", _without_magics(source)) for number, source in enumerate(joined, 1)]


def _without_magics(source: str) -> str:
    """Comment out IPython-only lines; Python stays as it is."""
    start = source.lstrip()
    if start.startswith("%%") and not start.startswith(RUNS_PYTHON):
        return ""
    with contextlib.suppress(SyntaxError, ValueError):
        ast.parse(source)
        return source
    return "\n".join(f"# {line}" if FOR_IPYTHON.match(line) else line for line in source.splitlines())


def run(path: Path, module: str) -> dict[str, Any]:
    """Run a submission and return its namespace.  Raises SubmissionError, SyntaxError, and whatever the code raises."""
    sys.modules[module] = ran = ModuleType(module)          # dataclasses, for example, look it up there
    namespace = vars(ran)
    namespace["__file__"] = str(path)
    if path.suffix.lower() == ".ipynb":
        namespace["display"] = print
    for name, text in cells(path):
        try:
            tree = ast.parse(text, name)
        except ValueError as error:
            raise SubmissionError(f"{path.name} is not Python: {error}") from None
        exec(compile(tree, name, "exec"), namespace)
    return namespace
