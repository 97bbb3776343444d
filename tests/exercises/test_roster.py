"""Rosters as platforms export them, matched with what was handed in."""

import pytest

from minimixer.errors import UsageError
from minimixer.exercises.show.roster import Person, match, read_roster
from tests.support.book import book, graded

CANVAS = ("Student,ID,SIS User ID,SIS Login ID,Section,HW 1\nPoints Possible,,,,,10\n"
          '"Doe, Jane",101,S1,jdoe,A,\n"Núñez, María",102,S2,mnunez,A,\n')
MOODLE = ("Identifier,Full name,Email address,Grade\n"
          "Participant 101,Jane Doe,jane@x.edu,\nParticipant 102,Bo Li,bo@x.edu,\n")
GRADESCOPE = "First Name,Last Name,SID,Email,Role\nJane,Doe,101,jane@x.edu,Student\nBo,Li,102,bo@x.edu,Student\n"


@pytest.mark.parametrize(("text", "handed", "expected"), [
    (CANVAS, {"doejane": "101", "nunezmaria": ""}, {"doejane": "S1", "nunezmaria": "S2"}),
    (CANVAS, {"jdoe": "", "mnunez": ""}, {"jdoe": "S1", "mnunez": "S2"}),
    (CANVAS, {"Jane Doe": "", "maría núñez": ""}, {"Jane Doe": "S1", "maría núñez": "S2"}),
    (CANVAS.replace(",", ";").replace("Doe;", "Doe,").replace("ez;", "ez,").replace('Doe, Jane";', 'Doe, Jane";'),
     {"doejane": "101"}, {"doejane": "S1"})], ids=["flat", "login", "names", "semicolons"])
def test_canvas(text, handed, expected, tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text(text, encoding="utf-8-sig")
    found = match(handed, read_roster(path))
    assert {student: person.sis for student, person in found.items()} == expected


@pytest.mark.parametrize("text",
                         [MOODLE, GRADESCOPE, "student,name,id,email\njane,Jane Doe,101,jane@x.edu\nbo,Bo Li,102,\n",
                                  "name\temail\nJane Doe\tjane@x.edu\nBo Li\tbo@x.edu\n"])
@pytest.mark.parametrize("student", ["Jane Doe", "doejane", "jane", "JANE DOE"])
def test_others(text, student, tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text(text)
    persons = read_roster(path)
    assert len(persons) == 2
    if student != "jane" or "@" in text:
        assert match({student: ""}, persons)[student].name == "Jane Doe"
    assert match({"nobody": ""}, persons) == {}


def test_names_that_fit_two_fit_nobody():
    persons = [Person("Jane Doe", "Jane Doe", "1"), Person("Jane Doe", "Jane Doe", "2")]
    assert match({"Jane Doe": ""}, persons) == {}
    assert match({"Jane Doe": "2"}, persons)["Jane Doe"].id == "2"
    assert match({"doejane": "", "janedoe": ""}, persons[:1]) == {}         # both claim to be her


def test_who_handed_in_nothing_has_a_row():
    persons = [Person("ada", "Ada L", "1"), Person("zoe", "Zoë Z", "2")]
    made = book(graded("ada"), graded("bo"), persons=persons)
    assert [(row.student, row.handed_in, row.on_roster, row.total) for row in made.rows] == [
        ("ada", True, True, 10), ("bo", True, False, 10), ("zoe", False, True, 0)]
    assert [result.status for mark in made.rows[2].marks for result in mark.graded.report.results] == ["missing"] * 2


@pytest.mark.parametrize(("content", "problem"), [
    (b"", "no column that says who is who"), (b"a,b\n1,2\n", "no column that says"), (b"name\n", "names no students"),
    (b"\0\0\0", "cannot be read"), (b'name\n"' + b"x" * 200_000, "cannot be read")])
def test_what_is_no_roster_is_refused(content, problem, tmp_path):
    path = tmp_path / "roster.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=problem):
        read_roster(path)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_roster(tmp_path / "none.csv")
