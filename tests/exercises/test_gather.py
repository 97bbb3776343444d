"""Layouts of a class: nobody is lost, and every file is graded or listed."""

import os
import tarfile
import tempfile
from pathlib import Path

import pytest

from minimixer.errors import UsageError
from minimixer.exercises.collect.gather import gather, handed_in
from tests.support.notebooks import write_tree, zipped

RIGHT = "def unbroadcast(gy, shape):\n    return gy\n"
NAME = "ex01_unbroadcast.py"


@pytest.fixture
def course(tmp_path):
    """A function: the course of a folder with these files."""
    def read(files, alone=False, top="class"):
        folder = tmp_path / top
        folder.mkdir(exist_ok=True)
        write_tree(folder, files)
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        return gather(folder, scratch, alone)
    return read


def answers(course):
    """Student -> exercise -> the file that is graded."""
    return {name: {exercise: answer.file for exercise, answer in its.answers.items()}
            for name, its in course.students.items()}


def unused(course):
    """Student ("" for nobody's) -> file -> why."""
    found = {name: {left.shown: left.why for left in its.unused} for name, its in course.students.items()}
    return {"": {left.shown: left.why for left in course.unused}} | found


@pytest.mark.parametrize(("files", "expected"), [
    ({f"ada/{NAME}": RIGHT, "bo/hw/ex01 (1).py": RIGHT}, {"ada": {"ex01": NAME}, "bo": {"ex01": "hw/ex01 (1).py"}}),
    ({"ada/ex01/solution.py": RIGHT, "bo/ex 1/a.py": RIGHT},
     {"ada": {"ex01": "ex01/solution.py"}, "bo": {"ex01": "ex 1/a.py"}}),
    ({"ex01/ada/x.py": RIGHT, "ex02/ada/y.py": RIGHT, "ex01/bo/x.py": RIGHT},
     {"ada": {"ex01": "x.py", "ex02": "y.py"}, "bo": {"ex01": "x.py"}}),
    ({"ex01/ada.py": RIGHT, "ex01/bo.ipynb": "{}"}, {"ada": {"ex01": "ada.py"}, "bo": {"ex01": "bo.ipynb"}}),
    ({"ada_1_2_ex01.py": RIGHT, "bo_3_4_ex01-1.py": RIGHT},
     {"ada": {"ex01": "ada_1_2_ex01.py"}, "bo": {"ex01": "bo_3_4_ex01-1.py"}}),
    ({"Ada L_1_assignsubmission_file_ex01.py": RIGHT, "Ada L_1_assignsubmission_file_ex02.py": RIGHT},
     {"Ada L": {"ex01": "Ada L_1_assignsubmission_file_ex01.py", "ex02": "Ada L_1_assignsubmission_file_ex02.py"}}),
    ({"Ada L_1_assignsubmission_file_/ex01.py": RIGHT, "Bo_2_assignsubmission_onlinetext_/onlinetext.html": ""},
     {"Ada L": {"ex01": "ex01.py"}, "Bo": {}}),
    ({"ex01-ada/main.py": RIGHT, "ex01-bo/main.py": RIGHT}, {"ada": {"ex01": "main.py"}, "bo": {"ex01": "main.py"}}),
    ({"ada_ex01.py": RIGHT, "bo_ex01.py": RIGHT}, {"ada": {"ex01": "ada_ex01.py"}, "bo": {"ex01": "bo_ex01.py"}}),
    ({"ada.zip": zipped({NAME: RIGHT}), "bo.zip": zipped({"bo/ex01.py": RIGHT})},
     {"ada": {"ex01": NAME}, "bo": {"ex01": "bo/ex01.py"}}),
    ({"ada/hw.zip": zipped({"in.zip": zipped({"x/Copy of ex01.ipynb": "{}"})})},
     {"ada": {"ex01": "hw.zip/in.zip/x/Copy of ex01.ipynb"}}),
    ({"submissions.zip": zipped({"ada_1_2_ex01.py": RIGHT, "bo_LATE_3_4_hw.zip": zipped({"ex01.py": RIGHT})})},
     {"ada": {"ex01": "ada_1_2_ex01.py"}, "bo": {"ex01": "ex01.py"}}),
    ({"all.zip": zipped({"ada/ex01.py": RIGHT, "bo/ex01.py": RIGHT, "__MACOSX/ada/._ex01.py": "x"})},
     {"ada": {"ex01": "ex01.py"}, "bo": {"ex01": "ex01.py"}}),
    ({"submissions/ada/ex01.py": RIGHT, "submissions/bo/ex01.py": RIGHT}, {"ada": {"ex01": "ex01.py"},
                                                                           "bo": {"ex01": "ex01.py"}}),
    ({"all.zip": zipped({"HW 3/ada/ex01.py": RIGHT, "HW 3/bo/ex01.py": RIGHT, "__MACOSX/._HW 3": ""})},
     {"ada": {"ex01": "ex01.py"}, "bo": {"ex01": "ex01.py"}}),
    ({"jane.zip": zipped({"jane/ex01.py": RIGHT, "jane/ex02.py": RIGHT})},
     {"jane": {"ex01": "jane/ex01.py", "ex02": "jane/ex02.py"}}),
    ({"jane/mine/ex01.py": RIGHT}, {"jane": {"ex01": "mine/ex01.py"}}),
    ({"1-2 - Ada - Oct 1, 2026 1230 PM/ex01.py": RIGHT, "1-2 - Ada - Oct 2, 2026 0915 AM/ex01_b.py": RIGHT},
     {"Ada": {"ex01": "ex01_b.py"}}),
    ({"HW_ada_attempt_2026-10-01-12-30-00_ex01_b.py": RIGHT, "HW_ada_attempt_2026-10-01-12-30-00.txt": "",
      "HW_ada_attempt_2026-10-01-12-29-59_ex01_a.py": RIGHT},
     {"ada": {"ex01": "HW_ada_attempt_2026-10-01-12-30-00_ex01_b.py"}}),
    ({"ex01-99.zip": zipped({"Ada_1_assignsubmission_file_/a.py": RIGHT})}, {"Ada": {"ex01": "a.py"}}),
    ({NAME: RIGHT, "data/notes.txt": ""}, {"class": {"ex01": NAME}}),
    ({"ada/.hidden": "", "bo/readme.md": ""}, {"ada": {}, "bo": {}})],
    ids=["folders", "student-exercise", "exercise-student", "exercise-files", "canvas", "moodle", "moodle-folders",
         "classroom", "prefix", "zips", "nested", "canvas-zip", "zip-of-folders", "wrapped",
         "wrapped-zip", "one-zip", "one-deep", "brightspace",
         "blackboard",
         "moodle-zip", "one", "nothing"])
def test_layouts(course, files, expected):
    assert answers(course(files)) == expected


def test_an_archive_itself_is_a_class(tmp_path):
    path = tmp_path / "class.zip"
    path.write_bytes(zipped({"ada/ex01.py": RIGHT, "bo/notes.txt": ""}))
    (tmp_path / "scratch").mkdir()
    assert answers(gather(path, tmp_path / "scratch")) == {"ada": {"ex01": "ex01.py"}, "bo": {}}


def test_tar_archives_are_opened(course, tmp_path):
    for kind in ("", "gz", "bz2"):
        with tarfile.open(tmp_path / f"hw.tar{kind and '.'}{kind}", f"w:{kind}") as archive:
            write_tree(tmp_path, {f"in/ex01_{kind}.py": RIGHT})
            archive.add(tmp_path / "in" / f"ex01_{kind}.py", "ex01.py")
    found = course({f"s{n}/{path.name}": path.read_bytes() for n, path in enumerate(sorted(tmp_path.glob("hw.*")))})
    assert [its["ex01"].split("/")[-1] for its in answers(found).values()] == ["ex01.py"] * 3


def test_a_student_known_by_one_name_twice_is_one_and_two_of_one_name_are_two(course):
    found = course({"doejane_1_2_ex01.py": RIGHT, "doejane_1_3_ex02.py": RIGHT, "doejane_9_4_ex01.py": RIGHT})
    assert {name: [*its] for name, its in answers(found).items()} == {"doejane 1": ["ex01", "ex02"],
                                                                      "doejane 9": ["ex01"]}
    assert [its.id for its in found.students.values()] == ["1", "9"]


def test_platforms_mark_what_is_late(course):
    found = course({"ada_LATE_1_2_ex01.py": RIGHT, "bo_3_4_ex01.py": RIGHT})
    assert [its.late for its in found.students.values()] == [True, False]


def test_every_file_is_graded_or_listed(course):
    found = course({
        f"ada/{NAME}": RIGHT, "ada/ex01_old.py": RIGHT, "ada/notes.pdf": "", "ada/work.py": "x = 1",
        "ada/.DS_Store": "", "ada/a.rar": "",
        "ada/hw.zip": zipped({"__MACOSX/x": "", "a/__MACOSX/y/._z": "", "ex02.py": "", "b.docx": ""}),
        "ada/broken.zip": b"PK\3\4", "ada/empty.zip": zipped({}), "readme.txt": "", "bo/ex01.py": RIGHT})
    assert {name: {*its} for name, its in unused(found).items()} == {
        "": {"readme.txt"}, "bo": set(),
        "ada": {"ex01_old.py", "notes.pdf", "work.py", ".DS_Store", "a.rar", "hw.zip/__MACOSX", "hw.zip/a/__MACOSX",
                "hw.zip/b.docx", "broken.zip", "empty.zip"}}
    why = unused(found)["ada"]
    assert "names no exercise" in why["work.py"]
    assert "ask for a .zip" in why["a.rar"]
    assert "damaged" in why["broken.zip"]
    assert "nothing in it" in why["empty.zip"]
    assert why["ex01_old.py"] == f"another attempt: {NAME} was graded"


def test_one_students_files_next_to_a_class_are_refused(course):
    with pytest.raises(UsageError, match="is it one student's folder, or a class"):
        course({NAME: RIGHT, f"ada/{NAME}": RIGHT})


def test_alone_means_one_student_whatever_is_inside(course):
    assert answers(course({f"a/{NAME}": RIGHT, "b/ex02.py": RIGHT}, alone=True)) == {
        "class": {"ex01": f"a/{NAME}", "ex02": "b/ex02.py"}}


def test_an_empty_class_and_one_without_exercises_are_refused(course, tmp_path):
    (tmp_path / "class").mkdir()
    with pytest.raises(UsageError, match="expected one per student"):
        course({})
    (tmp_path / "scratch").rename(tmp_path / "old")
    with pytest.raises(UsageError, match="pass --exercises"):
        handed_in(course({"ada/notes.txt": ""}))


def test_what_was_read_stays_what_was_handed_in(course, tmp_path):
    found = course({f"ada/{NAME}": RIGHT})
    (tmp_path / "class" / "ada" / NAME).write_text("overwritten")
    assert found.students["ada"].answers["ex01"].cells == ((NAME, RIGHT),)


def test_links_pipes_and_holes_are_not_followed(course, tmp_path):
    place = write_tree(tmp_path / "class" / "ada", {NAME: RIGHT})
    (place / "loop").symlink_to(place)
    (place / "ex02.py").symlink_to("/etc/passwd")
    os.mkfifo(place / "ex03.py")
    os.mkfifo(place / "a.zip")
    with open(place / "ex04.py", "wb") as hole:
        hole.truncate(20 << 30)
    with open(place / "b.zip", "wb") as hole:
        hole.truncate(20 << 30)
    (tmp_path / "class" / "link").symlink_to(place)
    found = course({})
    assert answers(found) == {"ada": {"ex01": NAME, "ex04": "ex04.py"}}
    assert {*unused(found)["ada"]} == {"loop", "ex02.py", "ex03.py", "a.zip", "b.zip"}
    assert unused(found)[""] == {"link": "a link: only files and folders are read"}
    assert "is larger than" in found.students["ada"].answers["ex04"].problem


@pytest.mark.slow
def test_no_depth_of_folders_and_no_length_of_names_ends_it(course, tmp_path):
    place = write_tree(tmp_path / "class" / "ada", {NAME: RIGHT})
    here = os.getcwd()
    os.chdir(place)
    try:
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        found = course({f"{'n' * 255}/ex01{'x' * 248}.py": RIGHT})
        assert [[*its] for its in answers(found).values()] == [["ex01"], ["ex01"]]
        ((_, why),) = unused(found)["ada"].items()
        assert "folders lie around it" in why
    finally:
        for _ in range(1500):
            os.chdir("..")
            os.rmdir("d")
        os.chdir(here)


@pytest.mark.slow
def test_no_archive_ends_it(course, tmp_path):
    inner = zipped({"ex04.py": RIGHT})
    for _ in range(8):
        inner = zipped({"n.zip": inner})
    bomb = zipped({"ex02.py": b"0" * (100 << 20), "../../../etc/ex03.py": RIGHT, "n.zip": inner,
                   **{f"f{n}/ex05.py": b"" for n in range(11_000)}})
    found = course({f"ada/{NAME}": RIGHT, "ada/bomb.zip": bomb})
    its = found.students["ada"].answers
    assert its["ex01"].file == NAME
    assert "is larger than" in its["ex02"].problem
    assert its["ex03"].file == "bomb.zip/etc/ex03.py"
    assert "ex04" not in its
    assert any("10,000 files" in why for why in unused(found)["ada"].values())
    assert not (tmp_path / "etc").exists()


@pytest.mark.slow
def test_an_archive_of_too_many_files_is_not_listed(course):
    entries = zipped({f"{n:06d}": b"" for n in range(60_000)})
    found = course({"ada/many.zip": zipped({NAME: RIGHT}), f"bo/{NAME}": RIGHT, "bo/a.zip": entries * 4})
    assert [*answers(found)] == ["ada", "bo"]
    assert "more than 200,000 files" in unused(found)["bo"]["a.zip"]


def test_what_may_not_be_read_is_an_error_not_a_gap():
    with tempfile.TemporaryDirectory() as name:         # root may read everything, so another user does it
        Path(name).chmod(0o777)
        place = write_tree(Path(name) / "class" / "ada", {NAME: RIGHT, "no/ex02.py": RIGHT})
        (Path(name) / "class" / "bo").mkdir()
        for path in (place / NAME, place / "no", Path(name) / "class" / "bo"):
            path.chmod(0)
        me = os.geteuid()
        if me == 0:
            os.seteuid(65534)
        try:
            scratch = Path(name) / "scratch"
            scratch.mkdir()
            found = gather(Path(name) / "class", scratch)
        finally:
            os.seteuid(me)
            for path in (place / "no", Path(name) / "class" / "bo"):
                path.chmod(0o700)
    assert "cannot be read: Permission denied" in found.students["ada"].answers["ex01"].problem
    assert "cannot be read" in unused(found)["ada"]["no"]
    assert "cannot be read" in unused(found)["bo"]["bo"]
