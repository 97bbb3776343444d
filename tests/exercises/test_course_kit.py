"""The course kit: complete, true, and never over other files."""

import csv
import os
import re
import shutil
import subprocess

import pytest

from minimixer.exercises.course import kit
from minimixer.exercises.course.plan import EFFORT, WEEKS
from minimixer.exercises.definitions import load, names
from tests.support.commands import exercises as main


def test_six_weeks_hold_every_exercise_once_and_its_lesson_before():
    assert len(WEEKS) == 6
    assert sorted(name for week in WEEKS for name in week.exercises) == names() == sorted(EFFORT)
    read = set()
    for week in WEEKS:
        read |= {*week.lessons}
        assert all(load(name).lesson[:2] in read for name in week.exercises)
        assert all(set(load(name).uses) <= set(names()) for name in week.exercises)
    assert all(1 <= effort.difficulty <= 5 for effort in EFFORT.values())


def test_the_kit_is_written_and_kept(tmp_path, capsys):
    folder = tmp_path / "course"
    assert main(["course-kit", str(folder)]) == 0
    said = capsys.readouterr().out
    for path in (path for path in folder.rglob("*") if path.is_file()):
        assert str(path) in said
        assert path.stat().st_size
    assert os.access(folder / "grade.sh", os.X_OK)
    (folder / "syllabus.md").write_text("mine")
    assert main(["course-kit", str(folder)]) == 2
    assert "exists and is kept" in capsys.readouterr().err
    assert (folder / "syllabus.md").read_text() == "mine"
    assert main(["course-kit", str(folder / "syllabus.md")]) == 2


def test_the_table_and_the_syllabus_say_the_same():
    rows = list(csv.DictReader(kit.table().splitlines()))
    assert [row["exercise"] for row in rows] == names()
    page = kit.syllabus()
    for row in rows:
        assert f"| {row['exercise']}, {row['title']} | {row['minutes']} | {row['difficulty']} |" in page
    assert all(page.count(f"## Week {number}: ") == 1 for number in range(1, 7))


def test_the_workflows_are_yaml_and_check_every_exercise():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    github = yaml.safe_load(kit.github())
    steps = github["jobs"]["check"]["steps"]
    graded = {step["id"]: step["with"] for step in steps if "id" in step}
    assert sorted(graded) == names()
    assert all(graded[name]["max-score"] == load(name).points for name in names())
    assert steps[-1]["with"]["runners"].split(",") == names()
    assert steps[-1]["env"]["EX06_RESULTS"] == "${{ steps.ex06.outputs.result }}"
    (matrix,) = yaml.safe_load(kit.gitlab())["check"]["parallel"]["matrix"]
    assert matrix["EXERCISE"] == names()


def test_the_image_is_built_without_a_network():
    text = kit.files()["Containerfile"]
    assert "--no-index --find-links /wheels" in text
    commands = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    assert "pip install" in commands
    assert not re.search(r"\b(apt|apk|curl|wget|https?:)", commands)
    assert re.search(r"^USER (?!root|0\b)", commands, re.MULTILINE)


@pytest.mark.slow
def test_the_script_is_a_shell_script():
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("there is no shell")
    done = subprocess.run([shell, "-n"], input=kit.files()["grade.sh"], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
