"""A whole class, graded: each verdict and each thing passed over reaches table, pages, summary and student."""

import csv

import pytest

from minimixer.exercises import fence
from tests.support.answers import source
from tests.support.commands import exercises as main
from tests.support.notebooks import notebook, write_tree

RIGHT = source("ex01")
NAME = "ex01_unbroadcast.py"
IMPORTED = "import torch\n\n\ndef unbroadcast(gy, shape):\n    return torch.sum_to_size(gy, shape)\n"
CLASS = {f"ada/{NAME}": RIGHT, "ada/notes.txt": "hello", f"bo/{NAME}": IMPORTED,
         "cy/ex01.ipynb": notebook("%%time\nx = 1\n%matplotlib inline", "from google.colab import drive", RIGHT,
                                    "1 / 0"),
         f"dee/{NAME}": RIGHT.encode("utf-16"), f"eve/{NAME}": "exit()\n"}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graded")
    write_tree(folder / "class", CLASS)
    arguments = ["grade", str(folder / "class"), "--out", str(folder / "grades.csv"), "--feedback",
                 str(folder / "pages"), "--jobs", "2"]
    assert main(arguments) == 0
    return folder


@pytest.mark.slow
def test_the_table_holds_every_verdict(graded):
    with (graded / "grades.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = {row["student"]: (row["status"], row["points"], row["diagnosis"]) for row in csv.DictReader(file)}
    assert rows == {"ada": ("pass", "10", ""), "bo": ("not-own", "0", "not-own"), "cy": ("pass", "10", ""),
                    "dee": ("pass", "10", ""), "eve": ("error", "0", "exits")}
    assert not list(graded.glob("*.part"))


@pytest.mark.slow
@pytest.mark.parametrize(("student", "said"), [
    ("ada", "notes.txt"), ("bo", "not your own work"), ("bo", "torch.sum_to_size"),
    ("cy", "Passed over: ModuleNotFoundError: No module named &#x27;google&#x27;, in line 1 of code cell 2."),
    ("cy", "Passed over: ZeroDivisionError: division by zero, in line 1 of code cell 4."),
    ("dee", "Save it as UTF-8"), ("eve", "Passed over: it ends the program, in line 1.")])
def test_each_student_is_told(student, said, graded):
    assert said in (graded / "pages" / f"{student}.html").read_text().replace("&#39;", "&#x27;")


@pytest.mark.slow
def test_the_teacher_is_told(graded, capsys):
    page = (graded / "grades.html").read_text()
    assert "This is not your own work: the answer calls torch.sum_to_size." in page
    assert "notes.txt" in page
    assert main(["grade", str(graded / "class"), "--out", str(graded / "grades.csv")]) == 0
    said = capsys.readouterr().out
    found = fence.find()
    assert said.startswith(f"Answers run behind {found.name}" if found else "There is no fence here")
    assert "tasks: 3 pass, 1 error, 1 not-own." in said
    assert "Not their own work: bo, ex01" in said
    assert "Not used: 1 file\n  ada: notes.txt: " in said


@pytest.mark.slow
def test_check_says_the_same(graded, capsys):
    assert main(["check", "ex01", str(graded / "class" / "cy" / "ex01.ipynb")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Note: Passed over: ZeroDivisionError: division by zero, in line 1 of code cell 4." in said
    assert main(["check", "ex01", str(graded / "class" / "bo" / NAME)]) == 1
    assert "not your own work" in capsys.readouterr().out
    assert main(["check", "ex01", str(graded / "class" / "dee" / NAME)]) == 0
    assert "Save it as UTF-8" in " ".join(capsys.readouterr().out.split())
