"""What students really hand in: notebooks with all that Jupyter adds, odd names, and files that were not begun."""

import json

import pytest

from minimixer.exercises.collect.choose import find_submission
from minimixer.exercises.definitions import load
from minimixer.exercises.runner import check_file
from minimixer.exercises.source import fresh, read_file
from tests.support.answers import source
from tests.support.commands import exercises as main


def write_notebook(path, *code, outputs=()):
    made = [{"cell_type": "code", "source": text, "outputs": list(outputs), "metadata": {}, "execution_count": 1}
            for text in code]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": made}))
    return path


@pytest.mark.parametrize("cell", [
    "import numpy as np\nnp.sum?", "?print", "display('done')", "%%html\n<b>done</b>\n<br>", "files = !ls",
    "%time x = 1", "total = (7\n         % 3)\n!echo {total}", "%%time\nx = 1",
    "%matplotlib inline\nx = 1", "a, b = 1, 2\na != b"])
def test_what_jupyter_adds_is_passed_over(cell, tmp_path):
    path = write_notebook(tmp_path / "ex01_unbroadcast.ipynb", source("ex01"), cell)
    run = check_file("ex01", path)
    assert run.report.ok, str(run.report)


@pytest.mark.slow
def test_images_in_a_notebook_are_not_code(tmp_path):
    image = {"output_type": "display_data", "data": {"image/png": "A" * (2 << 20)}, "metadata": {}}
    assert check_file("ex01", write_notebook(tmp_path / "ex01.ipynb", source("ex01"), outputs=[image])).report.ok
    path = write_notebook(tmp_path / "ex02.ipynb", "x = 1\n" * 200_000)
    with pytest.raises(Exception, match="holds more than 1 MiB of code"):
        read_file(path)


@pytest.mark.parametrize("before", [
    "import matplotlib.pyplot as plt\nplt.figure()\n", "# no matplotlib needed\n",
    "import contextlib, os\nwith open(os.devnull, 'w') as f, contextlib.redirect_stdout(f):\n    print('x')\n",
    "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Note:\n    text: str\n"])
def test_code_around_a_right_answer_does_no_harm(before, tmp_path):
    path = tmp_path / "ex01_unbroadcast.py"
    path.write_text(before + source("ex01"))
    run = check_file("ex01", path)
    assert run.report.ok, str(run.report)


def test_a_right_block_may_come_as_a_list(tmp_path):
    path = tmp_path / "ex09_mixer_block.py"
    text = source("ex09")
    assert "return u + mixed, (saved1, saved2, saved3, saved4)" in text
    path.write_text(text.replace("return u + mixed, (saved1, saved2, saved3, saved4)",
                                 "return [u + mixed, [saved1, saved2, saved3, saved4]]"))
    assert check_file("ex09", path).report.ok


def test_a_leaf_may_be_known_by_its_missing_backward(tmp_path):
    path = tmp_path / "ex02_backward.py"
    path.write_text(source("ex02").replace("if not node.parents:", "if node.backward is None:"))
    assert check_file("ex02", path).report.ok


def test_an_error_within_the_standard_library_is_placed_in_the_students_line(tmp_path):
    path = tmp_path / "ex01_unbroadcast.py"
    path.write_text("import statistics\n\ndef unbroadcast(gy, shape):\n    return statistics.mean([])\n")
    text = str(check_file("ex01", path).report)
    assert "in line 4" in text.replace("\n", " ")


def test_an_unpacking_error_is_not_taken_for_swapped_axes(tmp_path):
    path = tmp_path / "ex08_token_mixing.py"
    text = source("ex08")
    assert "hidden, saved1 = Linear.forward" in text
    path.write_text(text.replace("hidden, saved1 = Linear.forward", "hidden, saved1, more = Linear.forward"))
    diagnosis = check_file("ex08", path).report.results[0].diagnosis
    assert diagnosis.id == "raises"
    assert "not enough values to unpack" in diagnosis.text


def test_one_that_is_not_begun_does_not_hide_another(tmp_path):
    exercise = load("ex01")
    (tmp_path / "ex01_unbroadcast.py").write_text(fresh(exercise))
    done = write_notebook(tmp_path / "Ex01_unbroadcast.ipynb", source("ex01"))
    assert find_submission(tmp_path, exercise) == done
    done.unlink()
    assert find_submission(tmp_path, exercise).suffix == ".py"


def test_start_makes_no_second_file_of_an_exercise(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["start", "ex01"]) == 0
    for more in ([], ["--notebook"]):
        assert main(["start", "ex01", *more]) == 1
        assert "ex01_unbroadcast.py is here already" in capsys.readouterr().err
