"""Write grades as CSV, Gradescope's results.json or nbgrader's table, and one HTML page per student."""

import csv
import html
import io
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from minimixer.exercises.graded import Graded
from minimixer.files import check_replaceable, json_text, read_text, write_atomically

COLUMNS = ("student", "exercise", "task", "status", "points", "max_points", "diagnosis", "file", "sha256")
SECONDS = ("student", "exercise", "seconds")
# the columns of `nbgrader export`, so that scripts can read either table
NBGRADER = ("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
            "late_submission_penalty", "score", "max_score")

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{student}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
pre {{ background: #f5f5f2; padding: 1rem; overflow-x: auto; font-size: 14px; line-height: 1.4 }}
td, th {{ padding: .2rem 1.2rem .2rem 0; text-align: left }}
.points {{ text-align: right }}
</style></head>
<body>
<h1>{student}</h1>
<table><tr><th>exercise</th><th>file</th><th class="points">points</th></tr>
{rows}
</table>
{reports}
</body></html>
"""


def _table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode("utf-8", "backslashreplace"))


def _results(out: Path, student: str, students: Collection[str]) -> Path:
    return out if len(students) == 1 and out.suffix == ".json" else out / student / "results.json"


def check_ours(students: Collection[str], out: Path, how: str, feedback: Path | None) -> None:
    """Raise FileRefusedError if a file is in the way that ``grade`` did not write; asked before anything is graded.

    Parameters
    ----------
    students : collection of str
    out, how, feedback
        As on the command line.
    """
    written: dict[Path, Callable[[str], bool]] = {}
    if how == "gradescope":
        written |= {_results(out, student, students): _is_results for student in students}
    else:
        written[out] = _is_nbgrader if how == "nbgrader" else lambda text: text.startswith(",".join(COLUMNS) + "\n")
        if how == "csv":
            written[out.with_suffix(".seconds.csv")] = lambda text: text.startswith(",".join(SECONDS) + "\n")
    if feedback is not None:
        beginning, _, _ = PAGE.partition("{student}")
        written |= {feedback / f"{student}.html": lambda text: text.startswith(beginning) for student in students}
    for path, is_ours in written.items():
        def is_written(path: Path, is_ours: Callable[[str], bool] = is_ours) -> bool:
            return is_ours(read_text(path))

        check_replaceable(path, is_written, "exercises grade", "--feedback" if path.suffix == ".html" else "--out")


def _is_results(text: str) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() == {"score", "tests"}


def _is_nbgrader(text: str) -> bool:
    """Whether a table is ours; one that nbgrader itself exported has the same columns, and knows names or dates."""
    header, *rows = list(csv.reader(text.splitlines())) or [[]]
    return tuple(header) == NBGRADER and all(len(row) == len(NBGRADER) and not any(row[1:3] + row[4:7]) for row in rows)


def write_csv(graded: Sequence[Graded], out: Path) -> None:
    """One row per student and task.  Times, which differ from run to run, go to ``NAME.seconds.csv``."""
    _table(out, COLUMNS, ((one.student, one.report.exercise.id, result.name, result.status, result.earned,
                           result.points, result.diagnosis.id if result.diagnosis else "", one.file, one.sha256)
                          for one in graded for result in one.report.results))
    _table(out.with_suffix(".seconds.csv"), SECONDS,
           ((one.student, one.report.exercise.id, f"{one.seconds:.2f}") for one in graded))


def write_nbgrader(graded: Sequence[Graded], out: Path) -> None:
    """One row per student and assignment, with the columns of ``nbgrader export``."""
    _table(out, NBGRADER, ((one.report.exercise.id, "", "", one.student, "", "", "", one.earned, 0, one.earned,
                            one.report.exercise.points) for one in graded))


def write_gradescope(graded: Sequence[Graded], out: Path) -> None:
    """Gradescope's ``results.json``: the file ``out`` for one student, ``out/STUDENT/results.json`` for several."""
    students = _by_student(graded)
    for student, its in students.items():
        path = _results(out, student, students)
        path.parent.mkdir(parents=True, exist_ok=True)
        tests = [{"name": f"{one.report.exercise.id} {result.function}", "score": result.earned,
                  "max_score": result.points, "status": "passed" if result.status == "pass" else "failed",
                  "output": "\n".join(result.lines()), "output_format": "text", "visibility": "visible"}
                 for one in its for result in one.report.results]
        write_atomically(path, (json_text({"score": sum(one.earned for one in its), "tests": tests}, indent=1)
                                + "\n").encode())


WRITERS: dict[str, Callable[[Sequence[Graded], Path], None]] = {
    "csv": write_csv, "gradescope": write_gradescope, "nbgrader": write_nbgrader}


def _by_student(graded: Sequence[Graded]) -> dict[str, list[Graded]]:
    return {student: list(its) for student, its in groupby(graded, key=lambda one: one.student)}


def write_pages(graded: Sequence[Graded], folder: Path) -> None:
    """One HTML page per student."""
    folder.mkdir(parents=True, exist_ok=True)
    for student, its in _by_student(graded).items():
        rows = "\n".join(f"<tr><td>{html.escape(one.report.exercise.id)} {html.escape(one.report.exercise.title)}</td>"
                         f"<td>{html.escape(one.file) or 'missing'}</td>"
                         f"<td class=\"points\">{one.earned} of {one.report.exercise.points}</td></tr>" for one in its)
        reports = "\n".join(_section(one) for one in its if one.file)
        page = PAGE.format(student=html.escape(student), rows=rows, reports=reports)
        write_atomically(folder / f"{student}.html", page.encode("utf-8", "backslashreplace"))


def _section(one: Graded) -> str:
    printed = f"<p>Your code printed:</p>\n<pre>{html.escape(one.printed)}</pre>" if one.printed.strip() else ""
    heading, _, report = str(one.report).partition("\n")
    return f"<h2>{html.escape(heading)}</h2>\n<pre>{html.escape(report.strip())}</pre>\n{printed}"
