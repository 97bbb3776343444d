"""The student's commands, and `mm.exercises.check` in a notebook."""

import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest

import minimixer as mm
from minimixer.errors import UsageError
from minimixer.exercises.__main__ import STUDENT, _uses, main, notebook
from tests.support.answers import load, mutants, names, run, source, student_version

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def mutant(stem):
    return next(m for m in mutants() if m.path.stem == stem)


def test_the_committed_student_versions_equal_their_sources():
    assert {path.name for path in STUDENT.glob("*.py")} == {load(name).filename for name in names()}
    for name in names():
        text = (STUDENT / load(name).filename).read_text()
        assert text == student_version(name), "run python lessons/exercises/build.py"
        assert "SOLUTION" not in text
        assert text.count("raise NotImplementedError") == len(load(name).tasks)


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
    path.write_text(notebook(source("ex01"), "ex01"))
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


def test_check_in_a_notebook_takes_what_is_at_hand(capsys):
    namespace = {}
    exec(source("ex06"), namespace)
    assert mm.exercises.check("ex06", namespace["LayerNorm"])
    assert mm.exercises.check("ex06", namespace)
    assert mm.exercises.check("6", type("MyNorm", (namespace["LayerNorm"],), {}))
    assert mm.exercises.check("ex06", namespace["LayerNorm"]())
    assert not mm.exercises.check("ex06", 5)
    module = types.ModuleType("answers")
    vars(module).update(namespace)
    assert mm.exercises.check("ex06", module)
    assert len(mm.exercises.check("ex06", namespace, task="backward").results) == 1
    capsys.readouterr()
    report = mm.exercises.check("ex06")
    assert not report
    assert "There is no LayerNorm.forward" in capsys.readouterr().out
    assert repr(report) == "<ex06: 0 of 2 right>"
    with pytest.raises(UsageError, match="no task 'sideways'"):
        mm.exercises.check("ex06", namespace, task="sideways")
    with pytest.raises(UsageError, match="there is no exercise 'ex99'"):
        mm.exercises.check("ex99")


def test_a_stub_that_returns_instead_of_raising_does_not_pass():
    for name in names():
        for line in ("return None", "pass", "return 0", "return 0, ()", "return args"):
            code = student_version(name).replace("raise NotImplementedError", line.replace("args", "locals()"))
            assert all(result.status in ("fail", "error") for result in run(code, name)), (name, line)


def test_a_random_answer_does_not_pass():
    code = source("ex01").replace("reshape(shape)", "reshape(shape) + np.random.default_rng().random()")
    (result,) = run(code, "ex01")
    assert result.diagnosis.id == "changes"


def test_the_command_is_in_the_table_and_starts_no_blas_choice():
    done = subprocess.run([sys.executable, "-m", "minimixer.cli", "exercises", "list"], capture_output=True, text=True,
                          check=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
    assert "ex12" in done.stdout
    assert done.stderr == ""


def test_the_lessons_that_are_named_are_those_of_the_number():
    lessons = {path.stem[:2]: path.stem[3:].split("_") for path in (ROOT / "lessons").glob("[0-9][0-9]_*.py")}
    pointers = [load(name).lesson for name in names()]
    known = [pointer for pointer in pointers if pointer[:2] in lessons]
    if not known:
        pytest.skip("the lessons are not here")
    for pointer in known:
        assert any(word in pointer.lower() for word in lessons[pointer[:2]]), pointer


def test_the_wheel_holds_the_student_versions_and_no_solution(tmp_path):
    pytest.importorskip("hatchling")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=ROOT,
                   check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = archive.namelist()
        texts = [archive.read(name).decode() for name in held if name.endswith(".py")]
    assert {Path(name).name for name in held if name.startswith("minimixer/exercises/student/")} == {
        load(name).filename for name in names()}
    assert not [text for text in texts if "### BEGIN" + " SOLUTION" in text]
    assert not [name for name in held if name.startswith(("lessons", "tests"))]
