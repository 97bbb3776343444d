"""Notebooks and what is exported from them: what fails around a right answer costs nothing, and is said."""

import json

import pytest

from minimixer.exercises.runner import check_file
from minimixer.exercises.source import SubmissionError, read, read_file
from tests.support.answers import source, student_version
from tests.support.notebooks import notebook

ANSWER = source("ex01")


def check(text, folder, name="ex01_unbroadcast.ipynb"):
    path = folder / name
    path.write_text(text)
    return check_file("ex01", path)


@pytest.mark.slow
@pytest.mark.parametrize("others", [
    (("before", "IN_COLAB = False\nif IN_COLAB:\n    !pip install -q minimixer\n"),),
    (("before", "from google.colab import drive\ndrive.mount('/content/drive')"),),
    (("before", "print(undefined)"), ("after", "1 / 0")),
    (("after", "my notes: ask about keepdims"),), (("after", "n = input('An integer: ')"),),
    (("after", "import sys\nsys.exit(0)"), ("after", "x = 1")), (("after", "%%bash\nrm -rf /\n"),),
    (("after", "%time r = unbroadcast(np.ones((2, 3)), (3,))"), ("after", "assert r.shape == (3,)\n%%x")),
    (("after", "pip install torch"), ("after", "%load_ext no_such\nfiles = !ls\nprint(files.n, files.grep('x'))")),
    (("after", "import asyncio\nawait asyncio.sleep(0)"),), (("after", "%pylab inline\nplot([1, 2])"),),
    (("after", "%%capture out\nprint('seen')"), ("after", "print(out.stdout)")),
    (("after",
      "assert get_ipython().user_ns['unbroadcast'] is unbroadcast\nget_ipython().events.register('x', print)"),),
    (("after", "t = %timeit -o -n 3 unbroadcast(np.ones((2, 3)), (3,))\nt.average"),),
    (("after", student_version("ex01")),),
    (("after", "def unbroadcast(gy, shape):\n    raise NotImplementedError('?')"),)],
    ids=lambda others: others[0][1][:24] if isinstance(others, tuple) else None)
def test_a_right_answer_passes_whatever_lies_around_it(others, tmp_path):
    before = [text for place, text in others if place == "before"]
    after = [text for place, text in others if place == "after"]
    run = check(notebook(*before, ANSWER, *after), tmp_path)
    assert run.report.ok, f"{run.report}\n{run.printed}"


def test_what_is_passed_over_is_said(tmp_path):
    run = check(notebook(ANSWER, "x = 1\n1 / 0"), tmp_path)
    said = run.printed + " ".join(getattr(run, "notes", ()))
    assert "ZeroDivisionError" in said
    assert "line 2 of code cell 2" in said


def test_magics_do_what_they_do_in_ipython(tmp_path):
    run = check(notebook("%time shift = 0", "%%time\nscale = 1\n", f"{ANSWER}\n%env SHAPE=3\n",
                         "right = unbroadcast\ndef unbroadcast(gy, shape):\n    import os\n"
                         "    assert os.environ['SHAPE'] == '3'\n    return scale * right(gy, shape) + shift"),
                         tmp_path)
    assert run.report.ok, str(run.report)


def test_an_answer_that_needs_what_failed_fails_and_says_where(tmp_path):
    run = check(notebook("import nothing_of_that_name as n",
                         ANSWER.replace("def unbroadcast", "@n.jit\ndef unbroadcast")),
                tmp_path)
    (result,) = run.report.results
    assert result.status == "error"
    assert "code cell" in result.diagnosis.text


@pytest.mark.slow
@pytest.mark.parametrize("script", [
    f"#!/usr/bin/env python\n# coding: utf-8\n\n# In[1]:\n\nget_ipython().run_line_magic('matplotlib', 'inline')\n\n"
    f"# In[2]:\n\n{ANSWER}\n\n# In[ ]:\n\nmy notes: not Python\n",
    f"get_ipython().magic(u'matplotlib inline')\n{ANSWER}\ndisplay(unbroadcast)\n",
    f"# -*- coding: utf-8 -*-\n!pip install x\n%matplotlib inline\n{ANSWER}",       # as Colab exports it
    f"# %%\nimport nothing\n# %%\n{ANSWER}\n# %% [markdown]\n# text\n# %%\n!ls\n)(\n"],
    ids=["nbconvert", "old", "colab", "vscode"])
def test_scripts_made_of_notebooks_run(script, tmp_path):
    run = check(script, tmp_path, "ex01_unbroadcast.py")
    assert run.report.ok, f"{run.report}\n{run.printed}"


@pytest.mark.slow
@pytest.mark.parametrize("text", [
    f"{ANSWER}\nassert unbroadcast(np.ones((2, 3)), (3,)).sum() == 5, 'mine'\n",
    f"{ANSWER}\nimport sys\nsys.exit()\nthis = 1\n",
    f"name = input('name? ')\n{ANSWER}", ANSWER.replace("    ", "\t"), ANSWER.replace("    ", "\u00a0   ", 3),
    ANSWER.replace("import numpy as np", "import numpy as np\u200b"),
    ANSWER.replace("\n        ", "\n\t", 1)],
    ids=["assert", "exit", "input", "tabs", "nbsp", "zero-width", "mixed-tabs"])
def test_scripts_run_as_far_as_they_can(text, tmp_path):
    run = check(text, tmp_path, "ex01_unbroadcast.py")
    assert run.report.ok, f"{run.report}\n{run.printed}"


def test_notebooks_of_other_formats_are_read(tmp_path):
    old = {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["x = 1\n", "y = 2"]}]}]}
    assert read("a.ipynb.json", json.dumps(old).encode()).cells == (("code cell 1", "x = 1\ny = 2"),)
    for wrong in ("{}", "[]", '{"cells": 3}', '{"cells": [{"cell_type": "code", "source": [1]}]}', "{", "[" * 100_000):
        with pytest.raises(SubmissionError, match="not a notebook"):
            read("a.ipynb", wrong.encode())


def test_an_untouched_copy_in_the_same_file_gives_way(tmp_path):
    (tmp_path / "a.ipynb").write_text(notebook(ANSWER, student_version("ex01")))
    first, second = read_file(tmp_path / "a.ipynb").cells
    assert "def unbroadcast" in first[1]
    assert "def unbroadcast" not in second[1]
    (tmp_path / "a.ipynb").write_text(notebook(student_version("ex01")))        # the only one stays
    assert "def unbroadcast" in read_file(tmp_path / "a.ipynb").cells[0][1]
