"""Grade the submissions of a class in parallel; results keep a fixed order, and no submission can stop the batch."""

import hashlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from minimixer.errors import OK, UsageError
from minimixer.exercises import fence, formats, processes
from minimixer.exercises.definitions import load, names
from minimixer.exercises.grading import Journal, Work, grade_all
from minimixer.exercises.report import STATUSES
from minimixer.exercises.runner import Limits, check_file
from minimixer.exercises.source import STUDENT, SubmissionError, cells, find_submission
from minimixer.text import printable

EXERCISE = re.compile(r"ex\d\d.*\.(py|ipynb)$", re.IGNORECASE)


def grade(folder: Path, out: Path, feedback: Path | None, how: str, exercises: Sequence[str], jobs: int,
          limits: Limits, *, trust: bool = False) -> int:
    """Grade a folder of submissions, write the tables and pages, print a summary, and return the exit code.

    Raises UsageError if the folder holds no submissions or ``out`` is unsuitable, or if there is no fence and the
    submissions are not trusted; CheckerError if the checker cannot start.
    """
    if os.name == "nt":
        raise UsageError("Windows cannot limit what a submission does: grade a class on Linux or in WSL")
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}: expected 1 or more")
    for_one = how == "gradescope" and out.suffix == ".json"
    if out.exists() and out.is_dir() != (how == "gradescope" and not for_one):
        raise UsageError(f"--out {out} is a {'folder' if out.is_dir() else 'file'}: expected a file for csv and "
                         "nbgrader; for gradescope a folder, or a file that ends in .json")
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}: expected a folder with one subfolder per student")
    students = {folder.resolve().name: folder} if for_one else submissions(folder)
    formats.check_ours(students, out, how, feedback)
    chosen = list(dict.fromkeys(load(name).id for name in exercises)) or handed_in(students)
    limits = fenced(limits, trust, [folder])
    check_file(chosen[0], STUDENT / load(chosen[0]).filename, limits)           # does the checker start at all?
    work = [read(student, place, name) for student, place in students.items() for name in chosen]
    with Journal(out, limits) as journal:
        if done := sum(item.key in journal.known for item in work):
            print(f"Going on: {done} of {len(work)} answers were graded before.")
        graded = grade_all(work, jobs, limits, journal)
    formats.WRITERS[how](graded, out)
    if feedback is not None:
        formats.write_pages(graded, feedback)
    journal.remove()
    counts = dict.fromkeys(STATUSES, 0)
    for one in graded:
        for result in one.report.results:
            counts[result.status] += 1
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    pages = f", pages: {feedback}" if feedback else ""
    print(f"students: {len(students)}, exercises: {len(chosen)}, tasks: {said}.  Grades: {out}{pages}")
    for one in graded:
        if any(result.status == "not-own" for result in one.report.results):
            print(f"Not their own work: {printable(one.student)}, {one.report.exercise.id}")
    return OK


def fenced(limits: Limits, trust: bool, private: Sequence[Path]) -> Limits:
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


def submissions(folder: Path) -> dict[str, Path]:
    """Each student's folder by name: the subfolders of ``folder``, or ``folder`` itself if it holds exercises."""
    students = {path.name: path for path in sorted(folder.iterdir())
                if path.is_dir() and not path.is_symlink() and not path.name.startswith((".", "__"))}
    if loose := [path.name for path in sorted(folder.iterdir()) if EXERCISE.match(path.name)]:
        if any(EXERCISE.match(path.name) for place in students.values() for path in place.rglob("*")):
            raise UsageError(f"{folder} holds {loose[0]} next to folders with exercises: is it one student's folder, "
                             "or a class? Move one or the other away")
        return {folder.resolve().name: folder}
    if not students:
        raise UsageError(f"{folder} holds no folders: expected one per student")
    return students


def handed_in(students: dict[str, Path]) -> list[str]:
    """The exercises that at least one student handed in.  Raises UsageError if there are none."""
    found = [name for name in names() if any(find_submission(place, load(name)) for place in students.values())]
    if not found:
        raise UsageError("no file is named like an exercise (ex06_layernorm.py): pass --exercises to grade all as "
                         "missing")
    return found


def read(student: str, folder: Path, name: str) -> Work:
    """The answer of a student to an exercise; what cannot be read is said in it."""
    path = None
    try:
        if (path := find_submission(folder, load(name))) is None:
            return Work(student, name)
        content = path.read_bytes()
        shown, digest = str(path.relative_to(folder)), hashlib.sha256(content).hexdigest()
        return Work(student, name, shown, digest, tuple(cells(path)))
    except SubmissionError as error:
        return Work(student, name, shown, digest, problem=str(error))
    except (OSError, RecursionError) as error:
        return Work(student, name, str(path or folder), problem=f"{type(error).__name__}: {error}")
