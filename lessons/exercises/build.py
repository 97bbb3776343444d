"""Build the student files from the sources in this folder: ``python lessons/exercises/build.py [--nbgrader DIR]``.

Without a flag it writes ``minimixer/exercises/student/exNN_name.py``.  These files are committed, so that a wheel, a
clone and an editable install have them without a build step; a test compares them with the sources.
``--nbgrader DIR`` writes the teacher's notebooks, with solutions and graded cells, where ``nbgrader`` expects them:
``DIR/source/exNN/exNN_name.ipynb``.
"""

import argparse
import re
from pathlib import Path
from typing import Any

from minimixer.exercises.definitions import load, names

HERE = Path(__file__).parent
STUDENT = HERE.parent.parent / "minimixer" / "exercises" / "student"
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION\n", re.DOTALL | re.MULTILINE)


def source(name: str) -> str:
    """The text of an exercise with its solutions."""
    return (HERE / load(name).filename).read_text(encoding="utf-8")


def without_solutions(text: str) -> str:
    """The student's version: each solution becomes ``raise NotImplementedError``."""
    return SOLUTION.sub(r"\1# Your code here\n\1raise NotImplementedError\n", text)


def student_version(name: str) -> str:
    """The text of the student's file, with nbgrader's metadata for the notebook."""
    return without_solutions(source(name))


def nbgrader_notebook(name: str) -> Any:
    """The teacher's notebook: the source, and one graded cell per task that calls the checker."""
    import jupytext
    import nbformat
    exercise = load(name)
    notebook = jupytext.reads(source(name), fmt="py:percent")
    for task in exercise.tasks:
        answer = task.function.split(".")[0]
        code = ("import minimixer as mm\n\n"
                f'assert mm.exercises.check("{name}", {answer}, task="{task.name}")')
        notebook.cells.append(nbformat.v4.new_code_cell(code, metadata={"nbgrader": graded(name, task)}))
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{name}-{number}"         # every build gives the same notebook
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def graded(name: str, task: Any) -> dict[str, Any]:
    """Metadata for nbgrader of the cell that grades a task."""
    return {"grade": True, "grade_id": f"{name}-{task.name}", "locked": True, "points": task.points,
            "schema_version": 3, "solution": False, "task": False}


def main() -> None:
    """Write the student versions, or the teacher's notebooks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nbgrader", type=Path, metavar="DIR", help="write DIR/source/exNN/exNN_name.ipynb")
    folder = parser.parse_args().nbgrader
    for name in names():
        exercise = load(name)
        if folder is None:
            STUDENT.mkdir(exist_ok=True)
            (STUDENT / exercise.filename).write_text(student_version(name), encoding="utf-8")
        else:
            target = folder / "source" / name
            target.mkdir(parents=True, exist_ok=True)
            import jupytext
            jupytext.write(nbgrader_notebook(name), target / Path(exercise.filename).with_suffix(".ipynb"))


if __name__ == "__main__":
    main()
