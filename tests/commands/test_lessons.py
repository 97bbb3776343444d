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


def test_list_names_the_lessons_of_another_language(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["lessons", "list"]) == 0
    assert "--lang ko lists those that are translated: 00, 02, 06, 08, 09" in capsys.readouterr().out
    assert cli.main(["lessons", "list", "--lang", "ko"]) == 0
    shown = capsys.readouterr().out
    english = {lesson.number: lesson for lesson in lessons.lessons()}
    for lesson in lessons.lessons("ko"):
        assert f"{lesson.number}  {lesson.title}" in shown
        assert (lesson.reading, lesson.doing) == (english[lesson.number].reading, english[lesson.number].doing)
    assert "minimixer lessons open 00 --lang ko" in shown
    assert "the others are in English" in shown


def test_copy_takes_another_language_along_with_what_it_links_to(tmp_path, capsys):
    assert cli.main(["lessons", "copy", str(tmp_path), "--lang", "ko"]) == 0
    said = capsys.readouterr().out
    assert f"those in the language ko are in {tmp_path / 'ko'}: 00, 02" in said
    for notebook in (tmp_path / "ko").iterdir():
        for target in re.findall(r"\]\(([./]*\d\d_\w+\.ipynb)\)", notebook.read_text(encoding="utf-8")):
            planned = not (lessons.lessons()[0].path.parent / Path(target).name).exists()
            assert planned or (notebook.parent / target).exists()
    mine = tmp_path / "ko" / lessons.lessons("ko")[0].path.name
    mine.write_text("mine")
    assert cli.main(["lessons", "copy", str(tmp_path), "--lang", "ko"]) == 0
    assert f"{tmp_path}-new --lang ko" in capsys.readouterr().out
    assert mine.read_text() == "mine"


def test_a_file_is_no_folder_for_another_language(tmp_path, capsys):
    (tmp_path / "ko").write_text("")
    assert cli.main(["lessons", "copy", str(tmp_path), "--lang", "ko"]) == 2
    assert f"{tmp_path / 'ko'} is a file" in capsys.readouterr().err


def test_open_begins_in_the_folder_of_the_language_and_reaches_the_english_lessons(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons.importlib.util, "find_spec", lambda name: name)
    commands = []
    monkeypatch.setattr(lessons, "serve", lambda command: commands.append(command) or (0, 0))
    assert cli.main(["lessons", "open", "2", "--folder", str(tmp_path), "--lang", "ko"]) == 0
    assert cli.main(["lessons", "open", "--folder", str(tmp_path), "--lang", "ko"]) == 0
    roots = [f"--ServerApp.root_dir={tmp_path.resolve()}",
             f"--FileContentsManager.preferred_dir={tmp_path.resolve() / 'ko'}"]
    assert commands[0][-3:] == [*roots, str(tmp_path / "ko" / "02_autograd.ipynb")]
    assert commands[1][-2:] == roots


def test_a_language_or_translation_that_is_missing_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (["list"], ["copy", "x"], ["open", "02"]):
        assert cli.main(["lessons", *arguments, "--lang", "fr"]) == 2
        assert "no lessons in the language 'fr': expected one of en, ko" in capsys.readouterr().err
    assert cli.main(["lessons", "open", "1", "--lang", "ko"]) == 2
    assert "lesson 1 is not translated: the language ko has 00, 02, 06, 08, 09; leave out --lang" in \
        capsys.readouterr().err
    assert cli.main(["lessons", "open", "77", "--lang", "ko"]) == 2
    assert "there is no lesson '77'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_open_gives_jupyter_what_follows_two_dashes(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons.importlib.util, "find_spec", lambda name: name)
    commands = []
    monkeypatch.setattr(lessons, "serve", lambda command: commands.append(command) or (0, 0))
    folder = ["--folder", str(tmp_path)]
    own = ["--allow-root", "--no-browser", "--ip", "0.0.0.0", "--port", "8899"]
    assert cli.main(["lessons", "open", *own, *folder, "--", "--ServerApp.token=a b", "--debug"]) == 0
    words = commands[0][1:]
    assert words[:2] == ["-m", "jupyterlab"]
    for option in ("--allow-root", "--no-browser", "--ip=0.0.0.0", "--port=8899"):
        assert option in words
    assert words[-3:] == ["--ServerApp.token=a b", "--debug", str(tmp_path)]


@pytest.mark.parametrize(("arguments", "message"), [
    (["open", "--port", "8899", "--", "--port=9"], "--port after -- is given to Jupyter already: leave it out there"),
    (["open", "--no-browser", "--", "--no-browser"], "--no-browser after -- is given to Jupyter already"),
    (["open", "--", "--ServerApp.answer_yes=False"], "--ServerApp.answer_yes after -- is given to Jupyter already"),
    (["list", "--", "--debug"], "-- --debug has no effect here: only minimixer lessons open gives options to Jupyter"),
    (["copy", "x", "--", "a b"], "-- 'a b' has no effect here")])
def test_options_that_jupyter_would_not_get_or_get_twice_are_refused(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lessons", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


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
