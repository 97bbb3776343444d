"""Grade the submissions of a class in parallel; results keep a fixed order, and no submission can stop the batch."""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minimixer.errors import OK, UsageError
from minimixer.exercises import formats
from minimixer.exercises.collect.gather import Course, HandedIn, gather, handed_in
from minimixer.exercises.collect.walk import listed
from minimixer.exercises.definitions import load
from minimixer.exercises.graded import Graded
from minimixer.exercises.report import STATUSES, uniform_report
from minimixer.exercises.runner import Limits, check_file
from minimixer.exercises.show.book import Book, absent, make_book
from minimixer.exercises.show.late import read_late
from minimixer.exercises.show.roster import read_roster
from minimixer.exercises.source import STUDENT
from minimixer.exercises.words import say
from minimixer.text import printable

MOST_SHOWN = 10     # unused files of one folder, each on a line

def grade(folder: Path, out: Path, feedback: Path | None, how: str, exercises: Sequence[str], jobs: int,
          limits: Limits, *, roster: Path | None = None, due: Sequence[str] = (), late: str = "",
          lessons: str = "") -> int:
    """Grade a folder of submissions, write the tables and pages, print a summary, and return the exit code.

    Raises UsageError if the folder holds no submissions or ``out`` is unsuitable, CheckerError if the checker cannot
    start.
    """
    if os.name == "nt":
        raise UsageError("Windows cannot limit what a submission does: grade a class on Linux or in WSL")
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}: expected 1 or more")
    alone = how == "gradescope" and out.suffix == ".json"
    if out.exists() and out.is_dir() != (how == "gradescope" and not alone):
        raise UsageError(f"--out {out} is a {'folder' if out.is_dir() else 'file'}: expected a file for csv and "
                         "nbgrader; for gradescope a folder, or a file that ends in .json")
    if out in (formats.teacher_file(out, how), feedback):
        raise UsageError(f"--out {out} is where the pages are written: name a CSV file, such as grades.csv")
    if alone and roster:
        raise UsageError("--roster has no effect on the results of one student: leave it out")
    rule = read_late(due, late)
    persons = read_roster(roster) if roster else []
    with tempfile.TemporaryDirectory(prefix="minimixer-", ignore_cleanup_errors=True) as scratch:
        course = gather(folder, Path(scratch), alone)
        chosen = list(dict.fromkeys(load(name).id for name in exercises)) or handed_in(course)
        formats.check_ours([*course.students, *absent(course, persons)], out, how, feedback)
        check_file(chosen[0], STUDENT / load(chosen[0]).filename, limits)       # does the checker start at all?
        graded = grade_all(course, chosen, jobs, limits)
    book = make_book(graded, course, rule, persons)
    formats.WRITERS[how](book, out)
    if not alone:
        formats.write_teacher_page(book, formats.teacher_file(out, how), folder.resolve().name, lessons)
    if feedback is not None:
        formats.write_pages(book, feedback, lessons)
    _summarize(book, out, None if alone else formats.teacher_file(out, how), feedback)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        print("Graded as root: the limit on new processes does not apply to root; use an ordinary user in a sandbox.",
              file=sys.stderr)
    return OK


def grade_all(course: Course, exercises: Sequence[str], jobs: int, limits: Limits) -> list[Graded]:
    """Check every exercise of every student, in a fixed order."""
    work = [(its, name) for its in course.students.values() for name in exercises]
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda item: grade_one(item[0].name, item[1], item[0].answers.get(item[1]), limits), work))


def grade_one(student: str, name: str, answer: HandedIn | None, limits: Limits) -> Graded:
    """Check one exercise of one student; anything that goes wrong becomes a status."""
    exercise = load(name)
    if answer is None:
        return Graded(student, uniform_report(exercise, "missing"))
    try:
        if answer.path is None or answer.cells is None:
            report = uniform_report(exercise, "error", say("broken-file", error=answer.problem, where=""))
            return Graded(student, report, answer.file, answer.sha256, notes=answer.notes)
        run = check_file(name, answer.path, limits)
        return Graded(student, run.report, answer.file, answer.sha256, run.printed, run.seconds, answer.notes)
    except Exception as error:      # a batch of 200 must not end at the 57th
        problem = say("broken-file", error=f"{type(error).__name__}: {error}", where="")
        return Graded(student, uniform_report(exercise, "error", problem), answer.file, answer.sha256,
                      notes=answer.notes)


def _summarize(book: Book, out: Path, page: Path | None, feedback: Path | None) -> None:
    """Print what was graded, what was not used, and where the results are."""
    count = Counter(result.status for row in book.rows for mark in row.marks for result in mark.graded.report.results)
    order = [*STATUSES, *sorted(count.keys() - {*STATUSES})]
    said = ", ".join(f"{count[status]} {status}" for status in order if count[status])
    pages = f", pages: {feedback}" if feedback else ""
    print(f"students: {len(book.rows)}, exercises: {len(book.exercises)}, tasks: {said}.  Grades: {out}"
          f"{f', summary: {page}' if page else ''}{pages}")
    total = len(book.unused) + sum(len(row.unused) for row in book.rows)
    if total:
        print(f"Not used: {total} file{'s' * (total != 1)}")
    shown = [("", left) for left in listed(book.unused, MOST_SHOWN)]
    shown += [(f"{row.student}: ", left) for row in book.rows for left in listed(row.unused, MOST_SHOWN)]
    for student, left in shown:
        print(f"  {printable(student + left.shown)}: {left.why}")
    if strangers := [printable(row.student) for row in book.rows if not row.on_roster]:
        print(f"Not on the roster: {', '.join(strangers)}")
    if idle := [printable(row.student) for row in book.rows if not row.handed_in]:
        print(f"Nothing to grade from: {', '.join(idle)}")
