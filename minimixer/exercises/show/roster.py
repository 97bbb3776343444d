"""The list of a class: who should have handed in, and what the learning platform calls them."""

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from minimixer.errors import UsageError
from minimixer.exercises.answers.decode import NotTextError, decode
from minimixer.files import check_regular
from minimixer.text import printable

LARGEST = 16 << 20
# Columns by the names that Canvas, Moodle, Gradescope and people give them.
COLUMNS = {
    "student": ("student", "folder", "username", "user name", "github_username", "login"),
    "name": ("name", "full name", "fullname", "student name"),
    "first": ("first name", "first_name", "firstname", "given name"),
    "last": ("last name", "last_name", "lastname", "surname", "family name"),
    "id": ("id", "identifier", "user id", "sid", "student id", "student_id", "id number"),
    "sis": ("sis user id",),
    "login": ("sis login id", "login id"),
    "email": ("email", "email address", "e-mail", "mail"),
    "section": ("section", "sections", "group"),
}


@dataclass(frozen=True)
class Person:
    """A row of the roster."""

    student: str                    # the name of the folder, if the roster has it; else the name
    name: str = ""
    id: str = ""
    sis: str = ""
    login: str = ""
    email: str = ""
    section: str = ""

    def called(self) -> set[str]:
        """What a submission of this person may be called."""
        words = self.name.replace(",", " ").split()
        orders = {" ".join(words), " ".join(words[-1:] + words[:-1]), " ".join(words[1:] + words[:1])}
        given = {self.student, self.name, self.login, self.sis, self.email, self.email.partition("@")[0], *orders}
        numbers = {re.sub(r"^Participant ", "", number) for number in (self.id,)}
        return {key for key in map(plain, given | numbers) if key}


def plain(text: str) -> str:
    """Letters and digits only, without accents and case: ``Doe, Jané`` is ``doejane``."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if letter.isalnum())


def read_roster(path: Path) -> list[Person]:
    """The persons of a CSV file with a line of column names.  Raises UsageError, FileRefusedError."""
    try:
        check_regular(path, LARGEST)
        text = decode(path.read_bytes())[0]
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        table = list(csv.reader(text.splitlines(), delimiter=delimiter))
    except (OSError, NotTextError, csv.Error) as error:
        raise UsageError(f"--roster {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    header, *rows = table or [[]]
    known = {name: key for key, names in COLUMNS.items() for name in names}
    columns = {known[cell.strip().lower()]: number for number, cell in reversed(list(enumerate(header)))
               if cell.strip().lower() in known}
    if not columns.keys() & {"student", "name", "last", "id", "login", "email"}:
        raise UsageError(f"--roster {path} has no column that says who is who: expected names such as student, name, "
                         "email or id in its first line, as Canvas, Moodle and Gradescope export them")
    persons = []
    for row in rows:
        cell = {key: row[number].strip() if number < len(row) else "" for key, number in columns.items()}
        person = _person(cell)
        if person.student and not (person.student.startswith("Points Possible")):       # Canvas's second line
            persons.append(person)
    if not persons:
        raise UsageError(f"--roster {path} names no students: expected one on each line below the column names")
    return persons


def _person(cell: Mapping[str, str]) -> Person:
    name = cell.get("name") or " ".join(part for part in (cell.get("first"), cell.get("last")) if part)
    name = name or cell.get("student", "")
    student = cell.get("student") or name or cell.get("login") or cell.get("email") or cell.get("id", "")
    return Person(student, name, cell.get("id", ""), cell.get("sis", ""), cell.get("login", ""),
                  cell.get("email", ""), cell.get("section", ""))


def match(students: Mapping[str, str], persons: Iterable[Person]) -> dict[str, Person]:
    """Who handed in what: student to person.  A name that fits nobody, or several, is left out.

    Parameters
    ----------
    students : mapping of str to str
        The students' names, as their folders give them, to the numbers of a platform, which may be empty.
    persons : iterable of Person
    """
    by_key: dict[str, list[Person]] = defaultdict(list)
    for person in persons:
        for key in person.called():
            by_key[key].append(person)
    found: dict[str, Person] = {}
    for student, number in students.items():
        for key in filter(None, (plain(number), plain(student))):
            if len(fits := by_key.get(key, [])) == 1:
                found[student] = fits[0]
                break
    several = [person for person in found.values() if [*found.values()].count(person) > 1]
    return {student: person for student, person in found.items() if person not in several}


def nobody(students: Iterable[str], found: Mapping[str, Person]) -> list[str]:
    """The students that the roster does not know."""
    return [printable(student) for student in students if student not in found]
