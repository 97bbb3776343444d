"""The grade book: every student, with the roster and the rule for late work applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from minimixer.exercises.collect.gather import Course, Gathered
from minimixer.exercises.collect.walk import Unused
from minimixer.exercises.definitions import load
from minimixer.exercises.graded import Graded
from minimixer.exercises.report import uniform_report
from minimixer.exercises.show.late import Late
from minimixer.exercises.show.roster import Person, match
from minimixer.exercises.task import Exercise


@dataclass(frozen=True)
class Mark:
    """One exercise of one student, and what remains of its points."""

    graded: Graded
    late: float = 0.0               # seconds
    keeps: float = 1.0              # the part of the points that remains

    @property
    def points(self) -> float:
        """The points that count; a whole number where nothing was late."""
        earned = round(self.graded.earned * self.keeps, 2)
        return int(earned) if earned == int(earned) else earned


@dataclass(frozen=True)
class Row:
    """One student."""

    student: str
    person: Person
    marks: tuple[Mark, ...]
    unused: tuple[Unused, ...] = ()
    on_roster: bool = True

    @property
    def total(self) -> float:
        """The points of all exercises."""
        total = round(sum(mark.points for mark in self.marks), 2)
        return int(total) if total == int(total) else total

    @property
    def most(self) -> int:
        """The points that can be had."""
        return sum(mark.graded.report.exercise.points for mark in self.marks)

    @property
    def handed_in(self) -> bool:
        """Whether there is a file for any exercise."""
        return any(mark.graded.file for mark in self.marks)


@dataclass(frozen=True)
class Book:
    """A class."""

    exercises: tuple[Exercise, ...]
    rows: tuple[Row, ...]
    unused: tuple[Unused, ...] = ()             # what belongs to nobody
    cells: Mapping[tuple[str, str], Sequence[tuple[str, str]]] = field(default_factory=dict)

    def code(self, mark: Mark) -> Sequence[tuple[str, str]]:
        """The cells of the file that was graded, by name."""
        return self.cells.get((mark.graded.student, mark.graded.report.exercise.id), ())


def make_book(graded: Sequence[Graded], course: Course, late: Late, persons: Sequence[Person] = ()) -> Book:
    """Put together the grade book of a class, students in alphabetical order.

    Parameters
    ----------
    graded : sequence of Graded
        In the order of students, then exercises.
    course : Course
    late : Late
    persons : sequence of Person
        Of a roster; those without a submission get a row.
    """
    by_student: dict[str, list[Graded]] = {}
    for one in graded:
        by_student.setdefault(one.student, []).append(one)
    exercises = tuple(load(name) for name in dict.fromkeys(one.report.exercise.id for one in graded))
    known = _known(course, persons)
    rows = []
    for student, its in by_student.items():
        handed = course.students.get(student, Gathered(student))
        person = known.get(student) or Person(student, student, handed.id)
        rows.append(Row(student, person, tuple(_mark(one, handed, late) for one in its), tuple(handed.unused),
                        student in known or not persons))
    cells = {(student, name): answer.cells or () for student, its in course.students.items()
             for name, answer in its.answers.items()}
    for name, person in absent(course, persons).items():
        missing = (Mark(Graded(name, uniform_report(exercise, "missing"))) for exercise in exercises)
        rows.append(Row(name, person, tuple(missing)))
    return Book(exercises, tuple(sorted(rows, key=lambda row: row.student)), tuple(course.unused), cells)


def _known(course: Course, persons: Sequence[Person]) -> dict[str, Person]:
    return match({name: its.id for name, its in course.students.items()}, persons)


def absent(course: Course, persons: Sequence[Person]) -> dict[str, Person]:
    """Who is on the roster and handed in nothing, each by a name that no student has."""
    taken = {id(person) for person in _known(course, persons).values()}
    found: dict[str, Person] = {}
    for person in persons:
        if id(person) not in taken:
            name = person.student
            while name in course.students or name in found:
                name = f"{name} (roster)"
            found[name] = person
    return found


def _mark(graded: Graded, handed: Gathered, late: Late) -> Mark:
    answer = handed.answers.get(graded.report.exercise.id)
    if answer is None:
        return Mark(graded)
    seconds = late.by(graded.report.exercise.id, answer.modified, handed.late)
    return Mark(graded, seconds, late.keeps(seconds))
