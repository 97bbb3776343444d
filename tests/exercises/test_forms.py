"""Right answers in the forms in which people hand them in: a whole class of them, and everybody has all points."""

import csv
import json

import pytest

from tests.support.answers import source
from tests.support.commands import exercises as main
from tests.support.notebooks import notebook, write_tree, zipped

RIGHT = source("ex01")
CALL = "unbroadcast(np.ones((2, 3)), (3,))"
SHEET = {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": RIGHT, "outputs": []}]}]}
FORMS = {
    "Copy of ex01_unbroadcast.ipynb": notebook(RIGHT),
    "ex01_unbroadcast.ipynb.json": notebook(RIGHT),
    "ex01_unbroadcast.py.txt": RIGHT,
    "EX01_UNBROADCAST.PY": RIGHT,
    "hand-in/Übung 1/ex01 (2).py": RIGHT,
    "ex01 – final.py": RIGHT,
    "crlf/ex01.py": RIGHT.replace("\n", "\r\n"),
    "crcrlf/ex01.py": RIGHT.replace("\n", "\r\r\n"),
    "utf16/ex01.ipynb": notebook(RIGHT).encode("utf-16"),
    "future/ex01.py": f"from __future__ import annotations\n{RIGHT}",
    "main/ex01.py": f"{RIGHT}\nif __name__ == '__main__':\n    print({CALL})\n    exit()\n",
    "colab/ex01.py": f"!pip install x\n%matplotlib inline\n{RIGHT}\n%timeit {CALL}\n",
    "arguments/ex01.py": f"import argparse\nargparse.ArgumentParser().parse_args(['--x'])\n{RIGHT}",
    "thread/ex01.py": f"{RIGHT}\nimport threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\n",
    "warning/ex01.py": f"{RIGHT}\nimport warnings\nwarnings.warn('x')\ns = '\\d'\n",
    "one-cell/ex01.ipynb": notebook(f"from google.colab import drive\ndrive.mount('/x')\n!pip install a\n{RIGHT}\n1/0"),
    "pylab/ex01.ipynb": notebook("%pylab inline", RIGHT.replace("import numpy as np", "")),
    "display/ex01.ipynb": notebook("from IPython.display import HTML\nfrom tqdm.notebook import tqdm\nimport pandas",
                                   RIGHT, "display(HTML('x'))"),
    "writefile/ex01.ipynb": notebook(f"%%writefile mine.py\n{RIGHT}", "from mine import unbroadcast"),
    "shell/ex01.ipynb": notebook("get_ipython().run_cell('x = 1')", RIGHT, "Out[1]", ">>> 1 + 1\n2"),
    "quits/ex01.ipynb": notebook("exit()", RIGHT, "quit()"),
    "async/ex01.ipynb": notebook("import asyncio\nasync def f(): return 3\nx = await f()", RIGHT),
    "folder/ex01.ipynb": notebook("%cd /content\nimport os\nos.chdir('/content')", RIGHT),
    "deep/ex01.ipynb": notebook("x = " + "(" * 300 + "1" + ")" * 300, RIGHT),
    "sheets/ex01.ipynb": json.dumps(SHEET),
    "a.zip": zipped({"b/c.zip": zipped({"__MACOSX/b/._ex01.py": "", "ex01.py": RIGHT})}),
}


@pytest.mark.slow
def test_everybody_has_all_points(tmp_path):
    students = {f"s{number:02d}": name for number, name in enumerate(FORMS)}
    write_tree(tmp_path / "class", {f"{student}/{name}": FORMS[name] for student, name in students.items()})
    out = tmp_path / "grades.csv"
    assert main(["grade", str(tmp_path / "class"), "--out", str(out), "--exercises", "ex01"]) == 0
    with out.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert {students[row["student"]]: (row["status"], row["diagnosis"]) for row in rows} == dict.fromkeys(
        FORMS, ("pass", ""))
