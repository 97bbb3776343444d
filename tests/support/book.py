"""A grade book made by hand: no answer is run."""

from minimixer.exercises.collect.gather import Course, Gathered, HandedIn
from minimixer.exercises.collect.walk import Unused
from minimixer.exercises.definitions import load
from minimixer.exercises.graded import Graded
from minimixer.exercises.report import Report, Row, TaskResult
from minimixer.exercises.show.book import make_book
from minimixer.exercises.show.late import Late
from minimixer.exercises.words import Diagnosis

DUE = 1.79e9
FORGOTTEN = Diagnosis("mean-term-forgotten", "gx lacks the term through the mean.", "Each x is part of the mean.")


def graded(student, statuses=("pass", "pass"), exercise="ex06", diagnosis=FORGOTTEN, file="ex06.py", **more):
    """One exercise of one student; a task that is not right gets the diagnosis."""
    wanted = load(exercise)
    results = tuple(TaskResult.of(task, status, diagnosis if status in ("fail", "error") else None,
                                  (Row("y", "(2, 3)", 0.0 if status == "pass" else float("inf"), "right"),))
                    for task, status in zip(wanted.tasks, statuses, strict=True))
    return Graded(student, Report(wanted, results), "" if "missing" in statuses else file, "0" * 64, **more)


def book(*works, late=None, persons=(), cells=None, modified=DUE, unused=(), marked=()):
    """A book of these works; ``modified`` is when all files were saved."""
    students = {}
    for one in works:
        its = students.setdefault(one.student, Gathered(one.student, late=one.student in marked))
        if one.file:
            name = one.report.exercise.id
            code = (cells or {}).get((one.student, name), ())
            its.answers[name] = HandedIn(name, one.file, modified, cells=tuple(code))
        its.unused = [Unused(tuple(path.split("/")), why) for path, why in unused]
    return make_book(works, Course(students, []), late or Late(), persons)
