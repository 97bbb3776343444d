"""The process that runs a student's code: reads its orders from stdin and writes one line of JSON per task to a pipe.

``runner.py`` starts it.
"""

import contextlib
import importlib
import json
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from minimixer.exercises import checker, source
from minimixer.exercises.definitions import load
from minimixer.exercises.evidence import StructureError
from minimixer.exercises.guard import RefusedError, refuse, set_limits
from minimixer.exercises.report import TaskResult
from minimixer.exercises.task import Exercise
from minimixer.exercises.words import Diagnosis, say, where_raised

READY = "ready"
DRAWS = re.compile(rb"matplotlib|pylab|seaborn|pandas|\.plot\b")       # what may import matplotlib


def main() -> None:
    """Check one submission."""
    orders = json.loads(sys.stdin.buffer.read())
    pipe = orders["pipe"]

    def send(result: TaskResult) -> None:
        os.write(pipe, (json.dumps([orders["token"], result.as_json()]) + "\n").encode())

    exercise = load(orders["exercise"])
    prepare(Path(orders["file"]))
    os.write(pipe, (json.dumps([orders["token"], READY]) + "\n").encode())
    set_limits(orders["seconds"], orders["memory"])
    refuse(Path.cwd())
    checker.grading = True
    namespace, problem = attempt(lambda: open_files(exercise, orders["file"], orders["earlier"]))
    for task in exercise.tasks:
        if problem is None:
            result, stopped = attempt(partial(checker.check_task, task, namespace))
        else:
            result, stopped = None, problem
        send(result or TaskResult.of(task, "error", stopped))
    sys.stdout.flush()
    os._exit(0)         # skips threads and exit handlers that the student's code left behind


def prepare(file: Path) -> None:
    """Before the limits apply, import modules that are loaded late or start processes while they are imported."""
    import scipy.special  # noqa: F401
    if DRAWS.search(file.read_bytes()):
        with contextlib.suppress(Exception):    # the submission will raise it again
            importlib.import_module("matplotlib.font_manager")          # looks for fonts in a subprocess


def open_files(exercise: Exercise, file: str, earlier: dict[str, str]) -> dict[str, Any]:
    """Run the earlier files that the exercise builds on, then the student's file; return its namespace."""
    for name, path in earlier.items():      # in order: each may use the ones before it
        checker.use_own_parts(source.run(Path(path), name))
    return source.run(Path(file), exercise.id)


def attempt(step: Callable[[], Any]) -> tuple[Any, Diagnosis | None]:
    """The result of a step, or the reason why there is none."""
    try:
        return step(), None
    except RefusedError as error:
        return None, say("refused", error=error, where=where_raised(error))
    except MemoryError:
        return None, say("memory")
    except SystemExit:
        return None, say("exits")
    except source.SubmissionError as error:
        return None, say("broken-file", error=error, where="")
    except StructureError:
        raise
    except BaseException as error:
        if isinstance(error, NotImplementedError):
            error = NotImplementedError("raised while the file was read, outside of a function")
        said = error.msg if isinstance(error, SyntaxError) else error      # its str() names file and line once more
        return None, say("broken-file", error=f"{type(error).__name__}: {said}"[:300], where=where_raised(error))


if __name__ == "__main__":
    main()
