"""Write grades as CSV, Gradescope's results.json or nbgrader's table, and one HTML page per student."""

import csv
import html
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from minimixer.exercises.graded import Graded

COLUMNS = ("student", "exercise", "task", "status", "points", "max_points", "diagnosis", "file", "sha256")
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
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def write_csv(graded: Sequence[Graded], out: Path) -> None:
    """One row per student and task.  Times, which differ from run to run, go to ``NAME.seconds.csv``."""
    _table(out, COLUMNS, ((one.student, one.report.exercise.id, result.name, result.status, result.earned,
                           result.points, result.diagnosis.id if result.diagnosis else "", one.file, one.sha256)
                          for one in graded for result in one.report.results))
    _table(out.with_suffix(".seconds.csv"), ("student", "exercise", "seconds"),
           ((one.student, one.report.exercise.id, f"{one.seconds:.2f}") for one in graded))


def write_nbgrader(graded: Sequence[Graded], out: Path) -> None:
    """One row per student and assignment, with the columns of ``nbgrader export``."""
    _table(out, NBGRADER, ((one.report.exercise.id, "", "", one.student, "", "", "", one.earned, 0, one.earned,
                            one.report.exercise.points) for one in graded))


def write_gradescope(graded: Sequence[Graded], out: Path) -> None:
    """Gradescope's ``results.json``: the file ``out`` for one student, ``out/STUDENT/results.json`` for several."""
    students = _by_student(graded)
    for student, its in students.items():
        path = out if len(students) == 1 and out.suffix == ".json" else out / student / "results.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        tests = [{"name": f"{one.report.exercise.id} {result.function}", "score": result.earned,
                  "max_score": result.points, "status": "passed" if result.status == "pass" else "failed",
                  "output": "\n".join(result.lines()), "output_format": "text", "visibility": "visible"}
                 for one in its for result in one.report.results]
        path.write_text(json.dumps({"score": sum(one.earned for one in its), "tests": tests}, indent=1) + "\n",
                        encoding="utf-8")


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
        (folder / f"{student}.html").write_text(
            PAGE.format(student=html.escape(student), rows=rows, reports=reports), encoding="utf-8",
            errors="backslashreplace")


def _section(one: Graded) -> str:
    printed = f"<p>Your code printed:</p>\n<pre>{html.escape(one.printed)}</pre>" if one.printed.strip() else ""
    heading, _, report = str(one.report).partition("\n")
    return f"<h2>{html.escape(heading)}</h2>\n<pre>{html.escape(report.strip())}</pre>\n{printed}"
