"""Write grades: as CSV, for Canvas, Moodle, Gradescope and nbgrader; and the pages of the class and its students."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from minimixer.exercises.collect.walk import listed
from minimixer.exercises.show import lessons
from minimixer.exercises.show.book import Book, Row
from minimixer.exercises.show.html import is_page
from minimixer.exercises.show.late import said
from minimixer.exercises.show.student_page import student_page
from minimixer.exercises.show.teacher_page import teacher_page
from minimixer.files import check_replaceable, json_text, read_text, write_atomically
from minimixer.text import printable

COLUMNS = ("student", "exercise", "task", "status", "points", "max_points", "diagnosis", "file", "sha256")
SECONDS = ("student", "exercise", "seconds")
TOTALS = ("student", "name", "id", "email", "total", "max", "percent", "late", "files_not_used")
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE = ("Identifier", "Full name", "Email address", "Grade", "Maximum Grade", "Feedback comments")
GRADESCOPE = ("First Name", "Last Name", "SID", "Email", "Sections")
# the columns of `nbgrader export`, so that scripts can read either table
NBGRADER = ("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
            "late_submission_penalty", "score", "max_score")
FORMULA = tuple("=+-@\t\r\n＝＋－＠")       # how the cells that a spreadsheet computes begin


def cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula: such text gets an apostrophe in front."""
    if not isinstance(value, str):
        return value
    text = printable(value, None)
    return f"'{text}" if value.startswith(FORMULA) or text.lstrip().startswith(FORMULA) else text


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    write_atomically(path, text.getvalue().encode("utf-8-sig", "backslashreplace"))       # Excel needs the mark


def _beside(out: Path, kind: str) -> Path:
    return out.with_suffix(f".{kind}.csv")


def teacher_file(out: Path, how: str) -> Path:
    """Where the teacher's page is written."""
    return out / "class.html" if how == "gradescope" else out.with_suffix(".html")


def page_file(feedback: Path, student: str) -> Path:
    """A student's page; a name too long for a file is shortened."""
    name = f"{student}.html".replace("/", "_")
    if len(os.fsencode(name)) > 200:
        digest = hashlib.sha256(os.fsencode(student)).hexdigest()[:8]
        name = f"{os.fsencode(student)[:180].decode('utf-8', 'ignore')}-{digest}.html"
    return feedback / name


def _results(out: Path, student: str, alone: bool) -> Path:
    return out if alone and out.suffix == ".json" else out / student / "results.json"


def check_ours(students: Sequence[str], out: Path, how: str, feedback: Path | None) -> None:
    """Raise FileRefusedError if a file is in the way that ``grade`` did not write; asked before anything is graded.

    Parameters
    ----------
    students : sequence of str
    out, how, feedback
        As on the command line.
    """
    written: dict[Path, Callable[[str], bool]] = {}
    if how == "gradescope":
        written |= {_results(out, student, len(students) == 1): _is_results for student in students}
    else:
        for path, columns in _tables(out, how).items():
            written[path] = _is_nbgrader if how == "nbgrader" else _begins(columns)
    if out.suffix != ".json":
        written[teacher_file(out, how)] = is_page
    if feedback is not None:
        written |= {page_file(feedback, student): is_page for student in students}
    for path, is_ours in written.items():
        option = "--feedback" if feedback is not None and feedback in path.parents else "--out"
        check_replaceable(path, partial(_is, is_ours), "exercises grade", option)


def _is(ours: Callable[[str], bool], path: Path) -> bool:
    return ours(read_text(path))


def _tables(out: Path, how: str) -> dict[Path, Sequence[str]]:
    """The tables of a format, and how each begins."""
    if how == "csv":
        return {out: COLUMNS, _beside(out, "totals"): TOTALS[:3], _beside(out, "seconds"): SECONDS}
    return {out: {"canvas": CANVAS, "moodle": MOODLE, "gradescope-csv": GRADESCOPE, "nbgrader": NBGRADER}[how]}


def _begins(columns: Sequence[str]) -> Callable[[str], bool]:
    line = ",".join(columns)
    return lambda text: text == line or text.startswith((f"{line}\n", f"{line},"))


def _is_results(text: str) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"score", "tests"} <= found.keys() <= {"score", "tests", "output"}


def _is_nbgrader(text: str) -> bool:
    """Whether a table is ours; one that nbgrader itself exported has the same columns, and knows names or dates."""
    header, *rows = list(csv.reader(text.splitlines())) or [[]]
    return tuple(header) == NBGRADER and all(len(row) == len(NBGRADER) and not any(row[1:3] + row[4:7]) for row in rows)


def write_csv(book: Book, out: Path) -> None:
    """One row per student and task; ``NAME.totals.csv`` has one row per student.

    Times, which differ from run to run, go to ``NAME.seconds.csv``.
    """
    graded = [mark.graded for row in book.rows for mark in row.marks]
    _write_table(out, COLUMNS, ((one.student, one.report.exercise.id, result.name, result.status, result.earned,
                                 result.points, result.diagnosis.id if result.diagnosis else "", one.file, one.sha256)
                                for one in graded for result in one.report.results))
    _write_table(_beside(out, "totals"), (*TOTALS[:4], *(exercise.id for exercise in book.exercises), *TOTALS[4:]),
                 ((row.student, row.person.name, row.person.id, row.person.email,
                   *(mark.points for mark in row.marks), row.total, row.most,
                   round(100 * row.total / row.most, 1) if row.most else 0,
                   "; ".join(f"{mark.graded.report.exercise.id} {said(mark.late)}" for mark in row.marks if mark.late),
                   len(row.unused)) for row in book.rows))
    _write_table(_beside(out, "seconds"), SECONDS,
                 ((one.student, one.report.exercise.id, f"{one.seconds:.2f}") for one in graded))


def write_canvas(book: Book, out: Path) -> None:
    """A file for Canvas's *Import* of the gradebook: a column per exercise, and the points possible in line two."""
    columns = (*CANVAS, *(f"{exercise.id} {exercise.title}" for exercise in book.exercises))
    possible = ("Points Possible", "", "", "", "", *(exercise.points for exercise in book.exercises))
    _write_table(out, columns, [possible, *(
        (row.person.name or row.student, row.person.id, row.person.sis, row.person.login, row.person.section,
         *(mark.points for mark in row.marks)) for row in book.rows)])


def write_moodle(book: Book, out: Path) -> None:
    """A file for Moodle's grading worksheet: the total, and what was wrong as a comment."""
    _write_table(out, MOODLE, ((_participant(row), row.person.name or row.student, row.person.email, row.total,
                                row.most, _comment(row)) for row in book.rows))


def _participant(row: Row) -> str:
    return f"Participant {row.person.id}" if row.person.id.isdecimal() else row.person.id


def _comment(row: Row) -> str:
    return "; ".join(f"{mark.graded.report.exercise.id} {result.function}: "
                     f"{result.diagnosis.title if result.diagnosis else result.status}"
                     for mark in row.marks for result in mark.graded.report.results if result.status != "pass")


def write_gradescope_csv(book: Book, out: Path) -> None:
    """The columns of Gradescope's own table of grades: for each exercise its points and the most that can be had."""
    exercises = [(f"{exercise.id} {exercise.title}", exercise.points) for exercise in book.exercises]
    columns = (*GRADESCOPE, *(part for name, _ in exercises for part in (name, f"{name} - Max Points",
                                                                         f"{name} - Lateness (H:M:S)")))
    rows = []
    for row in book.rows:
        first, _, last = (row.person.name or row.student).partition(" ")
        marks = [part for mark, (_, most) in zip(row.marks, exercises, strict=True)
                 for part in (mark.points if mark.graded.file else "", most, _clock(mark.late))]
        rows.append((first, last, row.person.id, row.person.email, row.person.section, *marks))
    _write_table(out, columns, rows)


def _clock(seconds: float) -> str:
    whole = max(0, int(seconds))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def write_nbgrader(book: Book, out: Path) -> None:
    """One row per student and assignment, with the columns of ``nbgrader export``."""
    _write_table(out, NBGRADER, (
        (mark.graded.report.exercise.id, "", "", row.student, "", "", "", mark.graded.earned,
         round(mark.graded.earned - mark.points, 2), mark.points, mark.graded.report.exercise.points)
        for row in book.rows for mark in row.marks))


def write_gradescope(book: Book, out: Path) -> None:
    """Gradescope's ``results.json``: the file ``out`` for one student, ``out/STUDENT/results.json`` for several."""
    for row in book.rows:
        path = _results(out, row.student, len(book.rows) == 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        tests = [{"name": f"{mark.graded.report.exercise.id} {result.function}",
                  "score": round(result.earned * mark.keeps, 2), "max_score": result.points,
                  "status": "passed" if result.status == "pass" else "failed",
                  "output": "\n".join([*mark.graded.notes, *result.lines()]), "output_format": "text",
                  "visibility": "visible"} for mark in row.marks for result in mark.graded.report.results]
        unused = "\n".join(f"{printable(left.shown, None)}: {left.why}" for left in listed(row.unused, 100))
        results = {"score": row.total, "tests": tests} | ({"output": f"Not used:\n{unused}"} if unused else {})
        write_atomically(path, (json_text(results, indent=1) + "\n").encode(
            "utf-8", "backslashreplace"))


WRITERS: dict[str, Callable[[Book, Path], None]] = {
    "csv": write_csv, "canvas": write_canvas, "moodle": write_moodle, "gradescope": write_gradescope,
    "gradescope-csv": write_gradescope_csv, "nbgrader": write_nbgrader}


def write_teacher_page(book: Book, path: Path, title: str, site: str) -> None:
    """The page of the class."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, teacher_page(book, title, site))


def write_pages(book: Book, folder: Path, site: str) -> None:
    """One HTML page per student; without a site for the lessons, with the notebooks that the pages link to.

    A notebook that is there already stays as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for row in book.rows:
        write_atomically(page_file(folder, row.student), student_page(book, row, site))
    numbers = {lessons.section(exercise, problem)[0] for exercise in book.exercises for problem in ("", "axis-lost")}
    for notebook in () if site else filter(None, map(lessons.notebook, sorted(numbers))):
        copy = folder / "lessons" / notebook.name
        if not os.path.lexists(copy):
            copy.parent.mkdir(exist_ok=True)
            write_atomically(copy, notebook.read_bytes())
