"""A student's file, ``.py`` or ``.ipynb``: which one belongs to an exercise, and how it is run."""

import ast
import json
from pathlib import Path
from typing import Any

from minimixer.errors import MinimixerError
from minimixer.exercises.task import Exercise

LARGEST = 1 << 20       # bytes of a submission that is read


class SubmissionError(MinimixerError):
    """A file that cannot be read as a submission."""


def find_submission(folder: Path, exercise: Exercise) -> Path | None:
    """The file of an exercise in a folder or below: the name it was started with, or one that begins alike.

    Where there are several, ``.py`` goes before ``.ipynb``, the exact name before others, then the alphabet decides.
    Links are not followed.
    """
    found = [path for suffix in (".py", ".ipynb") for path in folder.rglob(f"{exercise.id}*{suffix}")
             if path.is_file() and not path.is_symlink() and ".ipynb_checkpoints" not in path.parts]
    return min(found, default=None, key=lambda path: (path.suffix != ".py", path.stem != Path(exercise.filename).stem,
                                                      len(path.parts), str(path)))


def cells(path: Path) -> list[tuple[str, str]]:
    """Name and text of the pieces of a submission.  Raises SubmissionError."""
    try:
        if path.stat().st_size > LARGEST:
            raise SubmissionError(f"{path.name} is larger than {LARGEST >> 20} MiB")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SubmissionError(f"{path.name} is no text file") from None
    except OSError as error:
        raise SubmissionError(f"{path.name} cannot be read: {error.strerror}") from None
    if "\0" in text:
        raise SubmissionError(f"{path.name} is no text file")
    return _notebook(path, text) if path.suffix == ".ipynb" else [(path.name, text)]


def _notebook(path: Path, text: str) -> list[tuple[str, str]]:
    try:
        sources = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        joined = [source if isinstance(source, str) else "".join(source) for source in sources]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SubmissionError(f"{path.name} is no notebook") from None
    return [(f"code cell {number}", _without_magics(source)) for number, source in enumerate(joined, 1)]


def _without_magics(source: str) -> str:
    """Lines for IPython alone become comments."""
    return "\n".join(f"# {line}" if line.lstrip().startswith(("%", "!", "?")) else line for line in source.splitlines())


def run(path: Path, module: str) -> dict[str, Any]:
    """Run a submission and return its names.  Raises SubmissionError, SyntaxError, and whatever the code raises."""
    namespace: dict[str, Any] = {"__name__": module, "__file__": str(path)}
    for name, text in cells(path):
        try:
            tree = ast.parse(text, name)
        except ValueError as error:
            raise SubmissionError(f"{path.name} is not Python: {error}") from None
        exec(compile(tree, name, "exec"), namespace)
    return namespace
