"""``minimixer lessons``: lists, copies without overwriting, opens or says what is missing."""

import json
import re
from pathlib import Path

import pytest

from minimixer import cli
from minimixer.commands import lessons, notebooks


def test_list_names_every_lesson(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["lessons", "list"]) == 0
    shown = capsys.readouterr().out
    for lesson in lessons.lessons():
        assert f"{lesson.number}  {lesson.title}" in shown
        assert int(lesson.reading) > 0


def test_list_shows_minutes_to_read_and_to_do(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "lessons" / "notebooks"
    folder.mkdir(parents=True)
    first = "# 01 Tensors\n- **Time:** 20 minutes to read, 25 to do, 5 seconds of computing\n- **Needs:** NumPy\n"
    (folder / "01_tensors.ipynb").write_text(json.dumps({"cells": [{"source": first}]}))
    monkeypatch.setattr(notebooks, "__file__", str(tmp_path / "minimixer" / "commands" / "notebooks.py"))
    assert cli.main(["lessons", "list"]) == 0
    assert re.search(r"01 +Tensors +20 +25 +NumPy", capsys.readouterr().out)


def test_copy_keeps_what_is_there_unless_forced(tmp_path, capsys):
    assert cli.main(["lessons", "copy", str(tmp_path / "new")]) == 0
    copies = sorted((tmp_path / "new").iterdir())
    originals = [lesson.path for lesson in lessons.lessons()]
    assert [c.read_bytes() for c in copies] == [o.read_bytes() for o in originals]
    copies[0].write_text("mine")
    assert cli.main(["lessons", "copy", str(tmp_path / "new")]) == 0
    assert copies[0].read_text() == "mine"
    said = capsys.readouterr().out
    assert f"; {len(copies) - 1} are there already" in said
    assert f"kept 1 of yours that differ ({copies[0].name})" in said
    assert cli.main(["lessons", "copy", str(tmp_path / "new"), "--force"]) == 0
    assert copies[0].read_bytes() == originals[0].read_bytes()


def test_a_file_is_not_a_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["lessons", "copy", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err


def test_open_says_how_to_install_jupyter(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lessons.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["lessons", "open", "2", "--folder", str(tmp_path)]) == 1
    assert 'pip install "minimixer[lessons]"' in capsys.readouterr().err
    assert list(tmp_path.glob("02_*.ipynb"))


def test_open_says_where_the_notebooks_are_when_jupyter_fails(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lessons.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(lessons, "serve", lambda command: (1, 0))
    assert cli.main(["lessons", "open", "--folder", str(tmp_path)]) == 1
    assert f"the notebooks are in {tmp_path}" in capsys.readouterr().err


def test_open_starts_jupyter_on_the_lesson(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons.importlib.util, "find_spec", lambda name: name)
    commands = []
    monkeypatch.setattr(lessons, "serve", lambda command: commands.append(command) or (0, 0))
    assert cli.main(["lessons", "open", "02", "--folder", str(tmp_path)]) == 0
    assert Path(commands[0][-1]).name.startswith("02_")
    assert Path(commands[0][-1]).exists()


@pytest.mark.parametrize("arguments", [["open", "77"], ["bogus"], ["copy"]])
def test_what_cannot_be_understood_ends_with_2(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lessons", *arguments]) == 2


def test_a_package_without_notebooks_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(notebooks, "__file__", str(tmp_path / "minimixer" / "commands" / "notebooks.py"))
    assert cli.main(["lessons", "list"]) == 1
    assert "install minimixer again" in capsys.readouterr().err


def test_the_wheel_holds_the_notebooks():
    import tomllib
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {"lessons/notebooks": "minimixer/_lessons"}
