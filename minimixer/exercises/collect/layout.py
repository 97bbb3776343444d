"""Who is who in a folder of submissions: students' folders, archives and flat downloads, also within exercises."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from minimixer.exercises.collect.names import (
    COLLECTION,
    IMPERSONAL,
    Owner,
    exercise_of,
    is_archive,
    is_code,
    is_exercise_folder,
    owner,
    stem,
)
from minimixer.exercises.collect.walk import Entry, Tree, Unused


@dataclass
class Student:
    """One student's files."""

    name: str
    id: str = ""                        # the number that a learning platform knows the student by
    late: bool = False                  # by the platform's own mark
    files: list[tuple[Entry, str]] = field(default_factory=list)       # with the exercise of a folder around it
    unused: list[Unused] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    """A file or folder that is one student's."""

    parts: tuple[str, ...]
    owner: Owner
    exercise: str


class Layout:
    """Gives every file of a tree to a student.

    Attributes
    ----------
    loose : list of tuple
        Paths of exercises that lie where students are expected: the whole folder may be one student's.
    unused : list of Unused
        What belongs to nobody.
    """

    def __init__(self, tree: Tree):
        self._children: dict[tuple[str, ...], set[str]] = defaultdict(set)
        self._folders = set(tree.folders)
        for parts in (*(entry.parts for entry in tree.entries), *(left.parts for left in tree.unused)):
            self._folders |= {parts[:n] for n in range(1, len(parts))}
        entries = {entry.parts: entry for entry in tree.entries}
        for parts in (*self._folders, *entries):
            for n in range(len(parts)):
                self._children[parts[:n]].add(parts[n])
        self.loose: list[tuple[str, ...]] = []
        self.unused: list[Unused] = []
        self._places = [place for place in self._look((), "") if place]
        self.students = self._students()
        self._hand_out(tree)

    def _look(self, above: tuple[str, ...], exercise: str) -> Iterator[_Place]:
        """The students' places right below a folder."""
        for name in sorted(self._children[above]):
            parts = (*above, name)
            is_folder = parts in self._folders
            whole = is_exercise_folder(name) if is_folder and not exercise else ""
            if whole and self._holds_students(parts):
                yield from self._look(parts, whole)
            elif whole:
                self.loose += [(*parts, inner) for inner in sorted(self._children[parts])][:1]
            elif is_folder and not exercise and self._is_class(parts):
                yield from self._look(parts, exercise)
            elif named := owner(name, not is_folder or is_archive(name)):
                yield _Place(parts, named, exercise or ("" if is_archive(name) else exercise_of(name)))
            elif is_folder:
                yield _Place(parts, Owner(stem(name) if is_archive(name) else name), exercise)
            elif exercise and is_code(name) and not exercise_of(name):
                yield _Place(parts, Owner(stem(name)), exercise)            # ex06/jane.py
            elif exercise_of(name):
                self.loose.append(parts)

    def _holds_students(self, folder: tuple[str, ...]) -> bool:
        """Whether a folder of an exercise holds students, rather than being one student's."""
        for name in self._children[folder]:
            inner = (*folder, name)
            if inner in self._folders or owner(name, True):
                return True
            if is_code(name) and not exercise_of(name) and stem(name).lower() not in IMPERSONAL and (
                    folder[-1].lower().find(stem(name).lower()) < 0):
                return True
        return False

    def _is_class(self, folder: tuple[str, ...]) -> bool:
        """Whether the only thing in the top folder is the class: an archive or a folder as a platform packs it."""
        if any(len(self._children[folder[:n]]) > 1 for n in range(len(folder))):
            return False
        inside = self._children[folder]
        if len(inside) == 1 and (*folder, *inside) in self._folders and not is_exercise_folder(*inside):
            return self._is_class((*folder, *inside))
        platform = [name for name in inside if (found := owner(name, True)) and (found.id or found.attempt)]
        exercises = [name for name in inside if is_exercise_folder(name) and (*folder, name) in self._folders
                     and self._holds_students((*folder, name))]
        folders = [name for name in inside if (*folder, name) in self._folders and not exercise_of(name)]
        named = any(is_archive(part) or COLLECTION.match(part) for part in folder)
        return bool(platform or exercises) or (bool(named) and len(folders) > 1 and not any(map(exercise_of, inside)))

    def _students(self) -> dict[_Place, Student]:
        """One student for all the places that are theirs; two with one name and different numbers stay two."""
        numbers: dict[str, set[str]] = defaultdict(set)
        for place in self._places:
            numbers[place.owner.student] |= {place.owner.id} - {""}
        known: dict[str, Student] = {}
        found = {}
        for place in self._places:
            its = place.owner
            name = f"{its.student} {its.id}" if len(numbers[its.student]) > 1 and its.id else its.student
            student = known.setdefault(name, Student(name, its.id))
            student.id = student.id or its.id
            student.late = student.late or its.late
            found[place] = student
        return found

    def _hand_out(self, tree: Tree) -> None:
        by_parts = {place.parts: place for place in self._places}

        def place_of(parts: tuple[str, ...]) -> _Place | None:
            return next((by_parts[parts[:n]] for n in range(1, len(parts) + 1) if parts[:n] in by_parts), None)

        loose = {*self.loose}
        for entry in tree.entries:
            if place := place_of(entry.parts):
                by = place.owner
                its = Entry(_below(place, entry.parts), entry.path, by.when or entry.modified, by.attempt)
                self.students[place].files.append((its, place.exercise))
            elif not any(entry.parts[:len(parts)] == parts for parts in loose):
                self.unused.append(Unused(entry.parts, "it lies in no student's folder, and its name names no student"))
        for left in tree.unused:
            if place := place_of(left.parts):
                self.students[place].unused.append(Unused(_below(place, left.parts), left.why))
            else:
                self.unused.append(left)


def _below(place: _Place, parts: tuple[str, ...]) -> tuple[str, ...]:
    """A path as the student knows it."""
    return parts[len(place.parts):] or parts[-1:]


