"""What README and docs say is true: their Python runs, excerpts are the files' own lines, counts are the models'."""

import contextlib
import io
import json
import re
import runpy
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from minimixer import nn
from minimixer.cli import COMMANDS
from tests.support.by_path import module_at

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
IN_KOREAN = [ROOT / "README.ko.md", *sorted((ROOT / "docs" / "ko").glob("*.md"))]     # their code is that of PAGES
BLOCK = re.compile(r"(?:<!-- not run: (.+) -->\n+)?```python\n(.*?)```", re.DOTALL)
CLASS = re.compile(r"class (\w+)")
CLASSES = {name for path in (ROOT / "minimixer").rglob("*.py") for name in CLASS.findall(path.read_text())}
README = (ROOT / "README.md").read_text()


def is_excerpt(block):
    """Whether a block shows a class of the package."""
    shown = CLASS.match(block)
    return shown is not None and shown[1] in CLASSES


def program(page):
    """The blocks of a page that run, one after the other; the others are excerpts or say why they are not run."""
    return [block for reason, block in BLOCK.findall(page.read_text()) if not reason and not is_excerpt(block)]


EXCERPTS = [pytest.param(block, id=f"{page.stem}-{CLASS.match(block)[1]}")
            for page in PAGES for _, block in BLOCK.findall(page.read_text()) if is_excerpt(block)]


@pytest.mark.parametrize("page", [page for page in PAGES if program(page)], ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": page.stem}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for number, block in enumerate(program(page), 1):
            exec(compile(block, f"{page.name}, block {number}", "exec"), names)
    assert "WRONG" not in printed.getvalue()
    if page.name == "README.md":
        assert "1,132,170 parameters" in printed.getvalue()


def test_a_block_that_is_not_run_is_told_from_one_that_is(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\na\n```\n<!-- not run: no file -->\n```python\nb\n```\n"
                    "```python\nclass Linear(Op):\n```\n```python\nclass Mine:\n```\n")
    assert program(page) == ["a\n", "class Mine:\n"]


def without_types(line):
    line = re.sub(r"\) -> [^:]*(\[.*\])?:", "):", line)
    return re.sub(r"(\w+): (?:Array|Module|Tensor|float)", r"\1", line).split("#")[0].rstrip()


@pytest.mark.parametrize("block", EXCERPTS)
def test_excerpts_are_lines_of_the_files_they_show(block):
    package = [without_types(line) for path in (ROOT / "minimixer").rglob("*.py") for line in
               path.read_text().splitlines()]
    for line in block.splitlines():
        assert without_types(line) in package


def test_parameter_counts_of_the_readme():
    rows = re.findall(r"([SBLH]/\d\d|pico|nano|micro|tiny|small) \| ([\d,]+)", README)
    assert len(rows) == len(nn.MIXERS)
    for name, count in rows:
        assert f"{nn.mixer(name, seed=None).num_parameters():,}" == count


def test_links_inside_the_repository_lead_somewhere():     # but those to pages that docs/pages.py writes
    for page in PAGES + IN_KOREAN:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            if not (page.parent != ROOT and target.removeprefix("../").startswith(("lessons/", "reference/"))):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_commands_that_pages_name_exist():
    for page in PAGES + IN_KOREAN:
        for line in re.findall(r"^\$ (.*)$", page.read_text(), re.MULTILINE):
            words = shlex.split(line.split("&&")[-1].removesuffix("\\"), comments=True)
            if words[0] == "minimixer" and words[1:]:
                assert words[1] in COMMANDS or words[1].startswith("-"), f"{page.name}: {line}"
            if words[:2] == ["python", "-m"]:
                assert words[2] in ("venv", "pip") or find_spec(words[2]), f"{page.name}: {line}"


def test_the_glossary_names_every_letter_of_a_shape():
    shape = re.compile(r"(?:#|shape) +\(([A-Za-z0-9_.*/+, ]*)\)")
    letters = {letter for path in (ROOT / "minimixer").rglob("*.py") for inside in shape.findall(path.read_text())
               for letter in re.findall(r"\b[A-Z]\b", inside)}
    symbols = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    named = {name.strip() for cell in symbols for name in cell.split(",")}
    assert {"B", "S", "C"} <= letters
    assert letters <= named


def test_drawings_are_those_of_their_script():
    for name, svg in runpy.run_path(str(ROOT / "docs" / "drawings.py"))["drawings"]().items():
        assert (ROOT / "docs" / "images" / name).read_text() == svg, f"{name}: run python docs/drawings.py"


def test_the_site_gets_the_words_of_the_figures_of_lessons():
    pages = module_at(ROOT / "docs" / "pages.py")
    spoken = {"cell_type": "code", "metadata": {"tags": ["measured"]}, "outputs": [
        {"text": "1"}, {"data": {"image/png": ""}, "metadata": {"image/png": {"alt": "A tree."}}}]}
    silent = {"cell_type": "code", "metadata": {}, "outputs": [{"data": {"image/png": ""}, "metadata": {}}]}
    prose = {"cell_type": "markdown", "metadata": {}, "source": "Text."}
    cells = json.loads(pages.with_alt(json.dumps({"cells": [spoken, silent, prose]})))["cells"]
    assert cells[0]["metadata"] == {"tags": ["measured"], "mystnb": {"image": {"alt": "A tree."}}}
    assert cells[1:] == [silent, prose]
