"""A class is graded: everybody gets a row, nobody stops the batch, and two runs write the same bytes."""

import csv
import json
import os

import pytest

from minimixer.exercises import grade
from tests.support.answers import load, mutants, source, student_version
from tests.support.commands import exercises as main
from tests.support.hostile import HOSTILE

MUTANT = next(m for m in mutants() if m.path.stem == "one_term")
CLASS = {
    "ada": {"ex06_layernorm.py": source("ex06")},
    "bob": {"ex06_layernorm.py": MUTANT.code},
    "cy": {"hw/ex06 (1).py": student_version("ex06")},
    "dee": {"ex06_layernorm.py": "while True: pass\n"},
    "eve": {"ex06_layernorm.py": HOSTILE["leaves"][0]},
    "fay": {"notes.txt": "nothing"},
    "gus <b>": {"ex06_layernorm.py": HOSTILE["binary"][0]},
}
EXPECTED = {"ada": ["pass", "pass"], "bob": ["pass", "fail"], "cy": ["not-started"] * 2, "dee": ["timeout"] * 2,
            "eve": ["error"] * 2, "fay": ["missing"] * 2, "gus <b>": ["error"] * 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    for student, files in CLASS.items():
        for name, code in files.items():
            path = folder / student / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(code if isinstance(code, bytes) else code.encode())
    return folder


@pytest.fixture(scope="module")
def graded(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    assert main(["grade", str(folder), "--out", str(out / "grades.csv"), "--feedback", str(out / "pages"),
                 "--seconds", "1", "--jobs", "3"]) == 0
    return out


def rows(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_every_student_and_task_has_a_row(graded):
    table = rows(graded / "grades.csv")
    assert [row["student"] for row in table] == [student for student in sorted(CLASS) for _ in range(2)]
    for student, statuses in EXPECTED.items():
        assert [row["status"] for row in table if row["student"] == student] == statuses
    (wrong,) = [row for row in table if row["status"] == "fail"]
    assert wrong["diagnosis"] == MUTANT.diagnosis
    assert (wrong["points"], wrong["max_points"]) == ("0", "6")
    assert sum(int(row["points"]) for row in table if row["student"] == "ada") == load("ex06").points
    assert all(len(row["sha256"]) == 64 for row in table if row["status"] != "missing")
    assert {row["file"] for row in table if row["student"] == "cy"} == {"hw/ex06 (1).py"}


def test_seconds_are_in_a_table_of_their_own(graded):
    assert "seconds" not in rows(graded / "grades.csv")[0]
    times = rows(graded / "grades.seconds.csv")
    assert [row["student"] for row in times] == sorted(CLASS)
    assert all(float(row["seconds"]) >= 0 for row in times)


def test_every_student_has_a_page_without_the_solution(graded):
    pages = {path.stem: path.read_text() for path in (graded / "pages").glob("*.html")}
    assert set(pages) == set(CLASS)
    assert "first of its three terms" in pages["bob"]
    assert "4 of 10" in pages["bob"]
    assert "gus &lt;b&gt;" in pages["gus <b>"]
    assert "<b>" not in pages["gus <b>"]
    assert "missing" in pages["fay"]


@pytest.mark.slow
def test_two_runs_write_the_same_bytes(folder, graded, tmp_path):
    assert main(["grade", str(folder), "--out", str(tmp_path / "grades.csv"), "--feedback", str(tmp_path / "pages"),
                 "--seconds", "1", "--jobs", "2"]) == 0
    assert (tmp_path / "grades.csv").read_bytes() == (graded / "grades.csv").read_bytes()
    assert (tmp_path / "grades.html").read_bytes() == (graded / "grades.html").read_bytes()
    for page in (tmp_path / "pages").glob("*.html"):
        assert page.read_bytes() == (graded / "pages" / page.name).read_bytes()


def test_gradescope_and_nbgrader_formats(folder, tmp_path):
    one = str(folder / "bob")
    assert main(["grade", one, "--format", "gradescope", "--out", str(tmp_path / "results.json")]) == 0
    result = json.loads((tmp_path / "results.json").read_text())
    assert result["score"] == 4 == sum(test["score"] for test in result["tests"])
    assert [test["status"] for test in result["tests"]] == ["passed", "failed"]
    assert sum(test["max_score"] for test in result["tests"]) == 10
    assert "three terms" in result["tests"][1]["output"]
    assert main(["grade", one, "--format", "nbgrader", "--out", str(tmp_path / "nb.csv")]) == 0
    (row,) = rows(tmp_path / "nb.csv")
    assert (row["assignment"], row["student_id"], row["score"], row["max_score"]) == ("ex06", "bob", "4", "10")


def test_what_cannot_be_graded_is_said_in_one_sentence(tmp_path, capsys):
    (tmp_path / "ada").mkdir()
    for arguments in (["grade", str(tmp_path / "none")], ["grade", str(tmp_path)],
                      ["grade", str(tmp_path), "--jobs", "0"], ["grade", str(tmp_path), "--exercises", "ex77"]):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert said.startswith("minimixer exercises: ")
        assert said.count("\n") == 1


def test_a_submission_alone_is_one_student_whatever_it_holds(tmp_path):
    place, out = tmp_path / "submission", tmp_path / "results" / "results.json"
    for folder in ("hw", "__MACOSX"):
        (place / folder).mkdir(parents=True)
    (place / "layernorm.py").write_text(source("ex06"))
    command = ["grade", str(place), "--format", "gradescope", "--out", str(out), "--exercises", "ex06", "6"]
    assert main(command) == 0
    result = json.loads(out.read_text())
    assert (result["score"], len(result["tests"])) == (0, 2)
    (place / "hw" / "ex06_layernorm.py").write_text(source("ex06"))
    assert main(command) == 0
    assert json.loads(out.read_text())["score"] == 10


def test_a_folder_that_is_not_there_is_no_student(tmp_path, capsys):
    assert main(["grade", str(tmp_path / "gone"), "--format", "gradescope", "--out", str(tmp_path / "results.json"),
                 "--exercises", "ex06"]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_grades_that_cannot_be_written_are_said_before_anybody_is_graded(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(grade, "grade_all", None)
    (tmp_path / "class" / "ada").mkdir(parents=True)
    (tmp_path / "class" / "ada" / "ex06_layernorm.py").write_text(source("ex06"))
    (tmp_path / "file.csv").write_text("")
    for how, out in (("gradescope", "file.csv"), ("csv", "class")):
        assert main(["grade", str(tmp_path / "class"), "--format", how, "--out", str(tmp_path / out)]) == 2
        assert "expected a file for csv and nbgrader; for gradescope a folder" in capsys.readouterr().err


def test_a_stray_file_does_not_turn_a_class_into_a_student(tmp_path, capsys):
    (tmp_path / "ada").mkdir()
    for path in (tmp_path / "ada" / "ex06_layernorm.py", tmp_path / "ex06_layernorm.py"):
        path.write_text(source("ex06"))
    assert main(["grade", str(tmp_path)]) == 2
    assert "is it one student's folder, or a class?" in capsys.readouterr().err


def test_names_and_errors_that_are_no_text_do_not_stop_a_class(tmp_path):
    names = [os.fsdecode(b"M\xfcller"), "zed"]
    try:
        (tmp_path / "class" / names[0]).mkdir(parents=True)
    except OSError:
        pytest.skip("this file system takes no such names")
    (tmp_path / "class" / "zed").mkdir()
    codes = [source("ex01"), "def unbroadcast(gy, shape):\n    raise ValueError('\\udcfc')\n"]
    for name, code in zip(names, codes, strict=True):
        (tmp_path / "class" / name / "ex01_unbroadcast.py").write_text(code)
    assert main(["grade", str(tmp_path / "class"), "--out", str(tmp_path / "grades.csv"), "--feedback",
                 str(tmp_path / "pages")]) == 0
    assert [row["student"] for row in rows(tmp_path / "grades.csv")] == ["M\\udcfcller", "zed"]
    assert len(list((tmp_path / "pages").glob("*.html"))) == 2
    assert "\\udcfc" in (tmp_path / "pages" / "zed.html").read_text()


def test_a_file_in_the_place_of_the_journal_is_kept(tmp_path, capsys):
    (tmp_path / "class" / "ada").mkdir(parents=True)
    (tmp_path / "class" / "ada" / "ex01_unbroadcast.py").write_text(source("ex01"))
    (tmp_path / "grades.csv.part").write_text("my notes")
    assert main(["grade", str(tmp_path / "class"), "--out", str(tmp_path / "grades.csv")]) == 1
    assert "grades.csv.part exists, and minimixer exercises grade did not write it" in capsys.readouterr().err
    assert (tmp_path / "grades.csv.part").read_text() == "my notes"
    assert not (tmp_path / "grades.csv").exists()
