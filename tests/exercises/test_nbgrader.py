"""nbgrader itself takes our notebooks: generate_assignment, autograde, export.

Not among the test requirements (it brings JupyterLab): ``pip install nbgrader jupytext``, and this no longer skips.
"""

import csv
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lessons.exercises.build import nbgrader_notebook
from tests.support.answers import load, mutants

pytestmark = [pytest.mark.slow, pytest.mark.skipif(importlib.util.find_spec("nbgrader") is None,
                                                   reason="nbgrader is not installed")]
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("jupytext")
MUTANT = next(m for m in mutants() if m.path.stem == "one_term")


def nbgrader(folder, *arguments):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])     # it calls `alembic` by name
    done = subprocess.run([sys.executable, "-m", "nbgrader", *arguments], cwd=folder, capture_output=True, text=True,
                          check=False, timeout=250, env={**os.environ, "PATH": path})
    assert done.returncode == 0, done.stdout + done.stderr


def test_nbgrader_releases_and_grades(tmp_path):
    name, filename = "ex06", "ex06_layernorm.ipynb"
    (tmp_path / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.course_id = 'mixer'\nc.CourseDirectory.root = {str(tmp_path)!r}\n")
    source = tmp_path / "source" / name / filename
    source.parent.mkdir(parents=True)
    notebook = nbgrader_notebook(name)
    nbformat.write(notebook, source)
    nbgrader(tmp_path, "generate_assignment", name, "--create")
    released = nbformat.read(tmp_path / "release" / name / filename, as_version=4)
    code = "\n".join(cell.source for cell in released.cells if cell.cell_type == "code")
    assert "SOLUTION" not in code
    assert code.count("raise NotImplementedError") == len(load(name).tasks)

    wrong = nbformat.from_dict(json.loads(json.dumps(notebook)))
    (answer,) = [cell for cell in wrong.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    answer.source = MUTANT.code.partition("class LayerNorm")[1] + MUTANT.code.partition("class LayerNorm")[2]
    for student, submitted in (("ada", notebook), ("bob", wrong), ("cy", released)):
        path = tmp_path / "submitted" / student / name / filename
        path.parent.mkdir(parents=True)
        nbformat.write(submitted, path)
    nbgrader(tmp_path, "autograde", name, "--create")
    nbgrader(tmp_path, "export", "--to", str(tmp_path / "grades.csv"))
    with (tmp_path / "grades.csv").open(newline="") as file:
        table = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {student: float(row["score"]) for student, row in table.items()} == {"ada": 10, "bob": 4, "cy": 0}
    assert {float(row["max_score"]) for row in table.values()} == {10}

    from minimixer.exercises.formats import NBGRADER
    assert set(NBGRADER) <= set(table["ada"])
    said = (tmp_path / "autograded" / "bob" / name / filename).read_text()
    assert "first of its three terms" in said
