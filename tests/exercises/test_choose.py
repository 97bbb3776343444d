"""Of several files for an exercise, the newest attempt counts, and an untouched one never before a filled one."""

import os

import pytest

from minimixer.exercises.collect.choose import (
    ATTEMPT,
    NO_ANSWER,
    UNFINISHED,
    UNTOUCHED,
    choose,
    find_submission,
    state,
)
from minimixer.exercises.collect.gather import gather
from minimixer.exercises.collect.names import owner
from minimixer.exercises.collect.walk import Entry
from minimixer.exercises.definitions import load
from minimixer.exercises.source import fresh
from tests.support.answers import names, source
from tests.support.notebooks import notebook, write_tree

EXERCISE = load("ex06")
STUB, RIGHT = fresh(EXERCISE), source("ex06")
OLD, NEW = 1.7e9, 1.7e9 + 86_400


@pytest.mark.parametrize("change", [
    lambda text: text, lambda text: f"# Jane Doe\n{text}", lambda text: f"\ufeff{text}", str.rstrip,
    lambda text: text.replace("\n", "\r\n"), lambda text: f'{text}\nprint("done")\nassert True\n',
    lambda text: text.replace("# Your code here", "# I do not know"),
    lambda text: text.replace("Error", 'Error("todo")'), lambda text: text.replace("raise NotImplementedError", "pass"),
    lambda text: f"import scipy\n{text}\ndef mine(): return 1",
    lambda text: f"{text}\nimport minimixer as mm\nmm.exercises.check('ex06', LayerNorm)\n", notebook,
    lambda text: notebook("# Jane", text, "LayerNorm??"), lambda _: "", lambda _: notebook()])
def test_nothing_that_is_added_makes_an_untouched_file_an_attempt(change, tmp_path):
    changed = change(STUB)
    path = tmp_path / ("ex06.ipynb" if changed.startswith("{") else "ex06.py")
    path.write_bytes(changed.encode())
    assert state(path, path.name, EXERCISE) == UNTOUCHED


@pytest.mark.parametrize(("text", "expected"), [
    (RIGHT, ATTEMPT), (notebook(RIGHT), ATTEMPT), (notebook(STUB, RIGHT), ATTEMPT), ("class LayerNorm(:\n", ATTEMPT),
    ("from mine import LayerNorm\n", ATTEMPT), ("class LayerNorm:\n    pass\n", ATTEMPT),
    (STUB.replace("raise NotImplementedError", "x = 1\n        raise NotImplementedError", 1), UNFINISHED),
    ("class Layernorm:\n    def forward(x): return x\n", NO_ANSWER), ("{", NO_ANSWER), ("x = 1\n", NO_ANSWER)])
def test_how_far_a_file_is(text, expected, tmp_path):
    path = tmp_path / ("a.ipynb" if text.startswith('{"') else "a.py")
    path.write_text(text)
    assert state(path, path.name, EXERCISE) == expected


@pytest.mark.parametrize("name", names())
def test_every_template_is_untouched_and_every_solution_an_attempt(name, tmp_path):
    exercise = load(name)
    path = tmp_path / exercise.filename
    path.write_text(fresh(exercise))
    assert state(path, path.name, exercise) == UNTOUCHED
    path.write_text(source(name))
    assert state(path, path.name, exercise) == ATTEMPT


@pytest.mark.parametrize(("files", "chosen"), [
    ({"ex06_layernorm.py": (STUB, NEW), "old/ex06.ipynb": (notebook(RIGHT), OLD)}, "old/ex06.ipynb"),
    ({"ex06_layernorm.py": (RIGHT, OLD), "ex06_layernorm.ipynb": (notebook(RIGHT), NEW)}, "ex06_layernorm.ipynb"),
    ({"ex06_layernorm.py": (RIGHT, OLD), "ex06_layernorm.ipynb": (notebook(RIGHT), OLD)}, "ex06_layernorm.py"),
    ({"ex06.py": (RIGHT, OLD), "ex06 (1).py": (RIGHT, OLD), "ex06 (2).py": (RIGHT, OLD + 9)}, "ex06 (2).py"),
    ({"ex06.py": (RIGHT, NEW), "ex06 (1).py": (RIGHT, OLD)}, "ex06.py"),
    ({"a_1_9_ex06.py": (RIGHT, OLD), "a_1_10_ex06.py": (RIGHT, OLD), "a_1_8_ex06-5.py": (RIGHT, NEW)},
     "a_1_10_ex06.py"),
    ({"ex06_notes.py": ("x = 1", NEW), "ex06.py": (RIGHT, OLD)}, "ex06.py"),
    ({"ex06_b.py": (RIGHT, OLD), "ex06_a.py": (RIGHT, OLD), "ex06_layernorm.py": (RIGHT, OLD)}, "ex06_layernorm.py")])
def test_the_newest_attempt_counts_and_the_others_are_named(files, chosen, tmp_path):
    write_tree(tmp_path, {name: text for name, (text, _) in files.items()})
    entries = [Entry(tuple(name.split("/")), tmp_path / name, when, getattr(owner(name, True), "attempt", 0))
               for name, (_, when) in files.items()]
    for order in (entries, entries[::-1]):
        answer, others = choose(order, EXERCISE)
        assert answer.shown == chosen
        assert {left.shown for left in others} == files.keys() - {chosen}
        assert all(f"{answer.name} was graded" in left.why for left in others)


def test_thousands_of_files_cost_no_more_than_twenty(tmp_path):
    path = write_tree(tmp_path, {"ex06.py": RIGHT}) / "ex06.py"
    entries = [Entry((f"ex06_{number}.py",), path, OLD + number) for number in range(3000)]
    chosen, others = choose(entries, EXERCISE)
    assert chosen.modified >= NEW - 86_400 + 2999 - 120
    assert len(others) == 2999
    assert sum("not looked at" in left.why for left in others) == 2980


def test_notes_tell_how_a_file_was_saved(tmp_path):
    write_tree(tmp_path, {"class/ada/ex06.py": RIGHT.encode("utf-16"), "class/bo/ex06.py": b"\0", "scratch/x": ""})
    (tmp_path / "scratch" / "x").unlink()
    students = gather(tmp_path / "class", tmp_path / "scratch").students
    assert "Save it as UTF-8" in students["ada"].answers["ex06"].notes[0]
    assert "not a text file" in students["bo"].answers["ex06"].problem


def test_find_submission_looks_below_a_folder(tmp_path):
    write_tree(tmp_path, {"hw/ex06.py": RIGHT, "ex06_layernorm.py": STUB})
    os.utime(tmp_path / "hw" / "ex06.py", (OLD, OLD))
    assert find_submission(tmp_path, EXERCISE) == tmp_path / "hw" / "ex06.py"
    assert find_submission(tmp_path, load("ex01")) is None
