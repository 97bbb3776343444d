"""``minimixer exercises`` for students: list, start, check and hint."""

import subprocess
import sys
from pathlib import Path

import pytest

from minimixer.commands.exercises import _uses, as_notebook
from tests.support.answers import mutants, names, source
from tests.support.commands import exercises as main

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def mutant(stem):
    return next(m for m in mutants() if m.path.stem == stem)


def test_list_names_every_exercise(capsys):
    assert main([]) == main(["list"]) == 0
    said = capsys.readouterr().out
    assert all(said.count(f"{name} ") == 2 for name in names())
    assert max(map(len, said.splitlines())) < 80


def test_from_start_to_right(capsys):
    assert main(["check", "ex06"]) == 3
    assert "minimixer exercises start ex06" in capsys.readouterr().out
    assert main(["start", "ex6"]) == 0
    assert "nbgrader" not in Path("ex06_layernorm.py").read_text()
    assert main(["check", "ex06"]) == 3
    assert "not started" in capsys.readouterr().out
    assert main(["start", "ex06"]) == 1                 # what is there is not overwritten
    Path("ex06_layernorm.py").write_text(mutant("one_term").code)
    assert main(["check", "ex06"]) == 1
    said = capsys.readouterr().out
    assert "[first-term-only]" in said
    assert "`minimixer lessons open 06`" in said
    Path("ex06_layernorm.py").write_text("def broken(:\n")
    assert main(["check", "ex06"]) == 1
    said = capsys.readouterr().out
    assert said.count("SyntaxError") == said.count("in line 1") == 1        # once for both tasks, the line once
    assert said.count("stopped with an error") == 2
    Path("mine.py").write_text(source("ex06"))
    assert main(["check", "ex06", "mine.py"]) == 0
    assert "All right.\nThe next one: `minimixer exercises start ex07`" in capsys.readouterr().out


def test_a_notebook_starts_and_is_checked(capsys):
    pytest.importorskip("jupytext")
    assert main(["start", "ex01", "--notebook"]) == 0
    path = Path("ex01_unbroadcast.ipynb")
    assert main(["check", "ex01"]) == 3
    assert 'mm.exercises.check(\\"ex01\\", unbroadcast)' in path.read_text()
    path.write_text(as_notebook(source("ex01"), "ex01"))
    assert main(["check", "ex01"]) == 0


def test_without_jupytext_a_notebook_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    assert main(["start", "ex01", "--notebook"]) == 1
    assert "pip install" in capsys.readouterr().err
    assert not list(Path().iterdir())


def test_hints_come_one_by_one(capsys):
    assert main(["hint", "ex06"]) == 0
    assert "Hint 1 of 4" in capsys.readouterr().out
    assert main(["hint", "ex06", "4"]) == 0
    assert "next one" not in capsys.readouterr().out
    assert main(["hint", "ex06", "5"]) == 2
    assert main(["hint", "nonsense"]) == 2


def test_chain_asks_for_the_earlier_exercises_first(capsys):
    assert _uses("ex09") == ["ex04", "ex05", "ex06", "ex08"]
    Path("ex08_token_mixing.py").write_text(source("ex08"))
    assert main(["check", "ex08"]) == 0
    assert main(["check", "ex08", "--chain"]) == 1
    assert "your own ex04" in capsys.readouterr().out
    Path("ex04_linear.py").write_text(source("ex04"))
    Path("ex05_gelu.py").write_text(source("ex05"))
    assert main(["check", "ex08", "--chain"]) == 0


def test_the_command_is_in_the_table_and_starts_no_blas_choice():
    done = subprocess.run([sys.executable, "-m", "minimixer.cli", "exercises", "list"], capture_output=True, text=True,
                          check=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
    assert "ex12" in done.stdout
    assert done.stderr == ""


def test_a_file_that_python_would_refuse_is_checked_with_a_note(capsys):
    Path("ex01_unbroadcast.py").write_bytes(source("ex01").encode("utf-16"))
    assert main(["check", "ex01"]) == 0
    said = capsys.readouterr().out
    assert "Note: The file is saved as UTF-16. Save it as UTF-8" in said
    assert "All right." in said
