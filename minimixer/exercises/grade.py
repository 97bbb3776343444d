"""Grade the submissions of a class: gather, check, tables and pages; no submission can stop the batch."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from minimixer.errors import OK, UsageError
from minimixer.exercises import fence, formats, processes
from minimixer.exercises.collect.gather import Course, gather, handed_in
from minimixer.exercises.collect.walk import listed
from minimixer.exercises.definitions import load
from minimixer.exercises.grading import Journal, Work, grade_all
from minimixer.exercises.report import STATUSES
from minimixer.exercises.runner import Limits, check_file
from minimixer.exercises.show.book import Book, absent, make_book
from minimixer.exercises.show.late import read_late
from minimixer.exercises.show.roster import read_roster
from minimixer.exercises.source import STUDENT
from minimixer.text import printable

MOST_SHOWN = 10     # unused files of one folder, each on a line


def grade(folder: Path, out: Path, feedback: Path | None, how: str, exercises: Sequence[str], jobs: int,
          limits: Limits, *, roster: Path | None = None, due: Sequence[str] = (), late: str = "",
          lessons: str = "", trust: bool = False) -> int:
    """Grade a folder of submissions, write the tables and pages, print a summary, and return the exit code.

    Raises UsageError if the folder holds no submissions or ``out`` is unsuitable, or if there is no fence and the
    submissions are not trusted; FileRefusedError if a file is in the way; CheckerError if the checker cannot start.
    """
    alone = how == "gradescope" and out.suffix == ".json"
    _check_places(out, feedback, how, jobs)
    if alone and roster:
        raise UsageError("--roster has no effect on the results of one student: leave it out")
    rule = read_late(due, late)
    persons = read_roster(roster) if roster else []
    course = _read(folder, alone)
    chosen = list(dict.fromkeys(load(name).id for name in exercises)) or handed_in(course)
    formats.check_ours([*course.students, *absent(course, persons)], out, how, feedback)
    limits = _fenced(limits, trust, [path for path in (folder, roster) if path])
    check_file(chosen[0], STUDENT / load(chosen[0]).filename, limits)           # does the checker start at all?
    work = [_work(course, student, name) for student in course.students for name in chosen]
    with Journal(out, limits) as journal:
        if done := sum(item.key in journal.known for item in work):
            print(f"Going on: {done} of {len(work)} answers were graded before.")
        graded = grade_all(work, jobs, limits, journal)
    book = make_book(graded, course, rule, persons)
    formats.WRITERS[how](book, out)
    page = None if alone else formats.teacher_file(out, how)
    if page is not None:
        formats.write_teacher_page(book, page, folder.resolve().name, lessons)
    if feedback is not None:
        formats.write_pages(book, feedback, lessons)
    journal.remove()
    _summarize(book, out, page, feedback)
    return OK


def _read(folder: Path, alone: bool) -> Course:
    """All that was handed in, read before the first answer runs."""
    processes.sweep()
    scratch = processes.scratch()           # for what archives hold
    try:
        return gather(folder, Path(scratch), alone)
    finally:
        processes.discard(scratch)


def _check_places(out: Path, feedback: Path | None, how: str, jobs: int) -> None:
    """Raise UsageError for what can never work, before anything is read."""
    if os.name == "nt":
        raise UsageError("Windows cannot limit what a submission does: grade a class on Linux or in WSL")
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}: expected 1 or more")
    if out.exists() and out.is_dir() != (how == "gradescope" and out.suffix != ".json"):
        raise UsageError(f"--out {out} is a {'folder' if out.is_dir() else 'file'}: expected a file for csv and "
                         "nbgrader; for gradescope a folder, or a file that ends in .json")
    if out in (formats.teacher_file(out, how), feedback):
        raise UsageError(f"--out {out} is where the pages are written: name a CSV file, such as grades.csv")


def _fenced(limits: Limits, trust: bool, private: Sequence[Path]) -> Limits:
    """The limits with the fence that there is, which is said; ``private`` is what an answer must not see.

    Raises UsageError if there is none and the submissions are not trusted.
    """
    found = fence.find()
    if found is not None:
        print(f"Answers run behind {found.name}: no network, no other files, another user, limits.")
    elif not trust:
        raise UsageError("there is no fence here (bubblewrap, which must be allowed to make user namespaces), so only "
                         "accidents would be stopped: install it (apt install bubblewrap), or grade in a container "
                         "without secrets and add --trust-submissions")
    else:
        print("There is no fence here: only accidents are stopped, not an attacker.")
        if os.geteuid() == 0 and processes.other_user() is None:
            print("Graded as root: answers run as root too, and the limit on processes does not apply to root.",
                  file=sys.stderr)
    return replace(limits, fence=found, private=tuple(str(path.resolve()) for path in private))


def _work(course: Course, student: str, exercise: str) -> Work:
    """What a student handed in for an exercise, as it is graded."""
    answer = course.students[student].answers.get(exercise)
    if answer is None:
        return Work(student, exercise)
    return Work(student, exercise, answer.file, answer.sha256, answer.cells, answer.problem, answer.notes)


def _summarize(book: Book, out: Path, page: Path | None, feedback: Path | None) -> None:
    """Print what was graded, what was not used, what to look at, and where the results are."""
    results = [(row.student, mark.graded.report.exercise.id, result.status)
               for row in book.rows for mark in row.marks for result in mark.graded.report.results]
    count = Counter(status for _, _, status in results)
    said = ", ".join(f"{count[status]} {status}" for status in STATUSES if count[status])
    pages = f", pages: {feedback}" if feedback else ""
    print(f"students: {len(book.rows)}, exercises: {len(book.exercises)}, tasks: {said}.  Grades: {out}"
          f"{f', summary: {page}' if page else ''}{pages}")
    for student, exercise in dict.fromkeys(result[:2] for result in results if result[2] == "not-own"):
        print(f"Not their own work: {printable(student)}, {exercise}")
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
