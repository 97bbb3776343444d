"""Read a class before anything of it runs: who handed in what, so that no submission can change another."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from minimixer.errors import UsageError
from minimixer.exercises.collect.choose import choose, sort_out
from minimixer.exercises.collect.layout import Layout, Student
from minimixer.exercises.collect.names import is_archive
from minimixer.exercises.collect.walk import LARGEST_ARCHIVE, LARGEST_CLASS, Entry, Tree, Unused, Walker
from minimixer.exercises.definitions import load, names
from minimixer.exercises.source import SubmissionError, read, read_bytes
from minimixer.text import printable


@dataclass(frozen=True)
class HandedIn:
    """The file that is graded for one exercise of one student, read before the first answer runs."""

    exercise: str
    file: str                           # its path as the student knows it
    modified: float                     # seconds since 1970
    sha256: str = ""
    cells: tuple[tuple[str, str], ...] | None = None        # None if it cannot be read
    problem: str = ""                   # why it cannot be read
    notes: tuple[str, ...] = ()         # how it was saved


@dataclass
class Gathered:
    """All that one student handed in."""

    name: str
    id: str = ""
    late: bool = False
    answers: dict[str, HandedIn] = field(default_factory=dict)
    unused: list[Unused] = field(default_factory=list)


@dataclass
class Course:
    """All that a class handed in."""

    students: dict[str, Gathered]
    unused: list[Unused]                # what belongs to nobody


def gather(folder: Path, scratch: Path, alone: bool = False) -> Course:
    """Find, unpack, choose and read the submissions of a class.

    Parameters
    ----------
    folder : Path
        With the submissions; an archive of them will do.
    scratch : Path
        An empty folder of ours, for what archives hold; not needed afterwards.
    alone : bool
        The folder is one student's, whatever it holds.

    Raises
    ------
    UsageError
        If the folder holds no submissions.
    """
    unpacked = scratch / "unpacked"
    unpacked.mkdir()
    tree = _tree(folder, unpacked, alone)
    name = folder.resolve().name
    layout = Layout(tree)
    handed = any(sort_out(student.files)[0] for student in layout.students.values())
    if alone or (layout.loose and not handed):
        students = [Student(name, files=[(entry, "") for entry in tree.entries], unused=tree.unused)]
        unused: list[Unused] = []
    elif layout.loose:
        raise UsageError(f"{folder} holds {printable('/'.join(layout.loose[0]))} next to the folders or files of "
                         "students: is it one student's folder, or a class? Move one or the other away")
    else:
        students, unused = list({id(student): student for student in layout.students.values()}.values()), layout.unused
    if not students:
        raise UsageError(f"{folder} holds no folders: expected one per student")
    gathered = [_gather(student) for student in sorted(students, key=lambda student: student.name)]
    return Course({student.name: student for student in gathered}, unused)


def _tree(folder: Path, unpacked: Path, alone: bool) -> Tree:
    if folder.is_file() and is_archive(folder.name):
        walker = Walker(unpacked, LARGEST_CLASS)
        walker.one(folder)
        return _without_first(walker.tree)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}: expected a folder with one subfolder per student")
    only = [path for path in folder.iterdir() if not path.name.startswith((".", "__"))]
    whole = len(only) == 1 and is_archive(only[0].name) and not alone
    return Walker(unpacked, LARGEST_CLASS if whole else LARGEST_ARCHIVE).folder(folder)


def _without_first(tree: Tree) -> Tree:
    """The tree below an archive."""
    return Tree([Entry(entry.parts[1:], entry.path, entry.modified) for entry in tree.entries],
                [Unused(left.parts[1:] or left.parts, left.why) for left in tree.unused],
                {parts[1:] for parts in tree.folders if parts[1:]})


def _gather(student: Student) -> Gathered:
    """Choose a student's answers and read them."""
    candidates, unnamed = sort_out(student.files)
    found = Gathered(student.name, student.id, student.late, unused=[*student.unused, *unnamed])
    for name in sorted(candidates):
        exercise = load(name)
        chosen, others = choose(candidates[name], exercise)
        found.unused += others
        found.answers[name] = _read(chosen, name)
    found.unused.sort(key=lambda unused: unused.parts)
    return found


def _read(entry: Entry, exercise: str) -> HandedIn:
    found = HandedIn(exercise, entry.shown, entry.modified)
    try:
        content = read_bytes(entry.path)
        found = replace(found, sha256=hashlib.sha256(content).hexdigest())
        text = read(entry.name, content)
    except OSError as error:
        return replace(found, problem=f"it cannot be read: {error.strerror}")
    except SubmissionError as error:
        return replace(found, problem=str(error))
    return replace(found, cells=text.cells, notes=text.notes)


def handed_in(course: Course) -> list[str]:
    """The exercises that at least one student handed in.  Raises UsageError if there are none."""
    found = [name for name in names() if any(name in student.answers for student in course.students.values())]
    if not found:
        raise UsageError("no file is named like an exercise (ex06_layernorm.py): pass --exercises to grade all as "
                         "missing")
    return found
