"""``mm.exercises.check`` in a notebook, answers that must not pass, and what the package holds of the exercises."""

import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest

import minimixer as mm
from minimixer.errors import UsageError
from minimixer.exercises.source import STUDENT
from tests.support.answers import load, names, run, source, student_version

ROOT = Path(__file__).parent.parent.parent


def test_the_committed_student_versions_equal_their_sources():
    assert {path.name for path in STUDENT.glob("*.py")} == {load(name).filename for name in names()}
    for name in names():
        text = (STUDENT / load(name).filename).read_text()
        assert text == student_version(name), "run python lessons/exercises/build.py"
        assert "SOLUTION" not in text
        assert text.count("raise NotImplementedError") == len(load(name).tasks)


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


def test_the_lessons_that_are_named_are_those_of_the_number():
    lessons = {path.stem[:2]: path.stem[3:].split("_") for path in (ROOT / "lessons").glob("[0-9][0-9]_*.py")}
    pointers = [load(name).lesson for name in names()]
    known = [pointer for pointer in pointers if pointer[:2] in lessons]
    if not known:
        pytest.skip("the lessons are not here")
    for pointer in known:
        assert any(word in pointer.lower() for word in lessons[pointer[:2]]), pointer


@pytest.mark.slow
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
