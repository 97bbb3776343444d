"""Grade the submissions of a class in parallel; results keep a fixed order, and no submission can stop the batch."""

import hashlib
import os
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minimixer.errors import OK, UsageError
from minimixer.exercises import formats
from minimixer.exercises.definitions import load, names
from minimixer.exercises.graded import Graded
from minimixer.exercises.report import STATUSES, uniform_report
from minimixer.exercises.runner import Limits, check_file
from minimixer.exercises.source import LARGEST_NOTEBOOK, STUDENT, find_submission
from minimixer.exercises.words import say
from minimixer.files import check_regular

EXERCISE = re.compile(r"ex\d\d.*\.(py|ipynb)$", re.IGNORECASE)


def grade(folder: Path, out: Path, feedback: Path | None, how: str, exercises: Sequence[str], jobs: int,
          limits: Limits) -> int:
    """Grade a folder of submissions, write the tables and pages, print a summary, and return the exit code.

    Raises UsageError if the folder holds no submissions or ``out`` is unsuitable, CheckerError if the checker cannot
    start.
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
    check_file(chosen[0], STUDENT / load(chosen[0]).filename, limits)           # does the checker start at all?
    work = [(student, place, name) for student, place in students.items() for name in chosen]
    with ThreadPoolExecutor(jobs) as pool:
        graded = list(pool.map(lambda item: grade_one(item[0], item[1], item[2], limits), work))
    formats.WRITERS[how](graded, out)
    if feedback is not None:
        formats.write_pages(graded, feedback)
    counts = dict.fromkeys(STATUSES, 0)
    for one in graded:
        for result in one.report.results:
            counts[result.status] += 1
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    pages = f", pages: {feedback}" if feedback else ""
    print(f"students: {len(students)}, exercises: {len(chosen)}, tasks: {said}.  Grades: {out}{pages}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        print("Graded as root: the limit on new processes does not apply to root; use an ordinary user in a sandbox.",
              file=sys.stderr)
    return OK


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


def grade_one(student: str, folder: Path, name: str, limits: Limits) -> Graded:
    """Check one exercise of one student; anything that goes wrong becomes a status."""
    exercise = load(name)
    try:
        path = find_submission(folder, exercise)
        if path is None:
            return Graded(student, uniform_report(exercise, "missing"))
        check_regular(path, LARGEST_NOTEBOOK)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        run = check_file(name, path, limits)
        return Graded(student, run.report, str(path.relative_to(folder)), digest, run.printed, run.seconds)
    except Exception as error:      # a batch of 200 must not end at the 57th
        problem = say("broken-file", error=f"{type(error).__name__}: {error}", where="")
        return Graded(student, uniform_report(exercise, "error", problem))
