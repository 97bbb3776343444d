"""What the README says is true: its Python runs, its excerpts are the files' own lines, its counts are the models'."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from minimixer import nn

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_python_of_the_readme_runs():
    (code,) = [block for block in PYTHON if block.startswith("import")]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    assert "1,132,170 parameters" in printed.getvalue()
    assert "WRONG" not in printed.getvalue()


def test_the_callback_of_the_readme_stops_a_run(tmp_path, monkeypatch):
    import minimixer as mm
    monkeypatch.chdir(tmp_path)
    (code,) = [block for block in PYTHON if "Callback" in block]
    names = {"mm": mm}
    exec(code.replace("0.97", "0.0"), names)
    assert names["history"].metrics[-1]["epoch"] == 1


def without_types(line):
    line = re.sub(r"\) -> [^:]*(\[.*\])?:", "):", line)
    return re.sub(r"(\w+): (?:Array|Module|Tensor|float)", r"\1", line).split("#")[0].rstrip()


@pytest.mark.parametrize("block", [block for block in PYTHON if block.startswith("class")],
                         ids=lambda block: block.split("(")[0])
def test_excerpts_are_lines_of_the_files_they_show(block):
    package = [without_types(line) for path in (ROOT / "minimixer").rglob("*.py") for line in
               path.read_text().splitlines()]
    for line in block.splitlines():
        assert without_types(line) in package


def test_parameter_counts_of_the_readme():
    rows = re.findall(r"([SBLH]/\d\d|pico|nano|micro|tiny|small) \| ([\d,]+)", README)
    assert len(rows) == len(nn.VARIANTS)
    for name, count in rows:
        assert f"{nn.mixer(name, seed=None).num_parameters():,}" == count


def test_links_inside_the_repository_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
