"""The tables: nothing in them is a formula, and each platform finds its columns."""

import csv

import pytest

from minimixer.exercises import formats
from minimixer.exercises.show.late import Late
from minimixer.exercises.show.roster import Person
from minimixer.files import FileRefusedError
from tests.support.book import DUE, book, graded

EVIL = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "＝1"]


def rows(path):
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def write(made, how, folder):
    formats.WRITERS[how](made, folder / "grades.csv")
    return folder / "grades.csv"


@pytest.mark.parametrize("how", sorted(formats.WRITERS.keys() - {"gradescope"}))
@pytest.mark.parametrize("evil", EVIL)
def test_no_cell_is_a_formula(how, evil, tmp_path):
    made = book(graded(evil, ("pass", "fail"), file=evil), persons=[Person(evil, evil, evil, evil, evil, evil, evil)])
    write(made, how, tmp_path)
    for path in tmp_path.iterdir():
        with path.open(newline="", encoding="utf-8-sig") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert cells
        assert not any(cell.lstrip(" ").startswith(formats.FORMULA) for cell in cells)


def test_one_row_per_task_and_totals_per_student(tmp_path):
    made = book(graded("ada", ("pass", "fail")), graded("ada", ("pass",), "ex01"), graded("bo", ("missing",) * 2),
                graded("bo", ("fail",), "ex01"), late=Late({"": DUE - 5}, "10%/day"), unused=[("x.pdf", "why")])
    path = write(made, "csv", tmp_path)
    assert [(row["student"], row["task"], row["status"], row["points"]) for row in rows(path)] == [
        ("ada", "forward", "pass", "4"), ("ada", "backward", "fail", "0"), ("ada", "unbroadcast", "pass", "10"),
        ("bo", "forward", "missing", "0"), ("bo", "backward", "missing", "0"), ("bo", "unbroadcast", "fail", "0")]
    ada, bo = rows(tmp_path / "grades.totals.csv")
    assert (ada["ex06"], ada["ex01"], ada["total"], ada["max"], ada["percent"]) == ("3.6", "9", "12.6", "20", "63.0")
    assert ada["late"] == "ex06 1 min late; ex01 1 min late"
    assert (bo["total"], bo["files_not_used"]) == ("0", "1")


def test_canvas(tmp_path):
    made = book(graded("doejane"), persons=[Person("Doe, Jane", "Doe, Jane", "101", "S1", "jdoe", section="A")])
    (possible, jane) = rows(write(made, "canvas", tmp_path))
    assert (possible["Student"], possible["ex06 LayerNorm"]) == ("Points Possible", "10")
    assert [jane[name] for name in (*formats.CANVAS, "ex06 LayerNorm")] == ["Doe, Jane", "101", "S1", "jdoe", "A", "10"]


def test_moodle(tmp_path):
    made = book(graded("Jane Doe", ("pass", "fail")), persons=[Person("Jane Doe", "Jane Doe", "98", email="j@x.edu")])
    (jane,) = rows(write(made, "moodle", tmp_path))
    assert (jane["Identifier"], jane["Grade"], jane["Maximum Grade"]) == ("Participant 98", "4", "10")
    assert "lacks the term through the mean" in jane["Feedback comments"]


def test_gradescope(tmp_path):
    made = book(graded("Jane Doe"), late=Late({"": DUE - 3725}))
    (jane,) = rows(write(made, "gradescope-csv", tmp_path))
    assert (jane["First Name"], jane["Last Name"], jane["ex06 LayerNorm"]) == ("Jane", "Doe", "10")
    assert (jane["ex06 LayerNorm - Max Points"], jane["ex06 LayerNorm - Lateness (H:M:S)"]) == ("10", "01:02:05")


@pytest.mark.parametrize("how", sorted(formats.WRITERS.keys() - {"gradescope"}))
def test_only_own_tables_and_pages_are_replaced(how, tmp_path):
    made, out = book(graded("ada")), tmp_path / "grades.csv"
    pages = tmp_path / "pages"
    for _ in range(2):
        formats.check_ours(["ada"], out, how, pages)
        formats.WRITERS[how](made, out)
        formats.write_teacher_page(made, formats.teacher_file(out, how), "class", "")
        formats.write_pages(made, pages, "")
    for path in (out, tmp_path / "grades.html", pages / "ada.html"):
        kept = path.read_bytes()
        path.write_text("mine")
        with pytest.raises(FileRefusedError, match="did not write it, so it is kept"):
            formats.check_ours(["ada"], out, how, pages)
        path.write_bytes(kept)


def test_long_names_get_a_page_too(tmp_path):
    names = ["n" * 255, "n" * 254 + "m", "../evil", "ü" * 127]
    made = book(*(graded(name) for name in names))
    formats.write_pages(made, tmp_path / "pages", "https://x.org")
    assert len(list((tmp_path / "pages").iterdir())) == 4
