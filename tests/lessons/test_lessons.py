"""Every lesson keeps the template, its notebook is what its source gives, and it runs as shipped and with solutions."""

import ast
import re
import sys
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("jupytext", reason="needs the extra minimixer[lessons]")
pytest.importorskip("nbclient", reason="needs the extra minimixer[lessons]")
import nbformat

from tests.support.by_path import module_at

LESSONS = Path(__file__).parents[2] / "lessons"
build = module_at(LESSONS / "build.py")

SECTIONS = ["Goal", "Picture", "Predict", "Build", "Check", "Break it", "Use it", "Exercise", "Summary"]
HANDS_ON = SECTIONS[SECTIONS.index("Build"):SECTIONS.index("Exercise")]
FACTS = ["Time", "Needs", "Previous", "Next"]
MOST_LINES = 15             # of code in a cell
TO_START = 10               # seconds that a busy machine may take until the kernel is there

each_lesson = pytest.mark.parametrize("source", build.sources(), ids=lambda path: path.stem)


def sections(notebook):
    """Name of each section to its cells."""
    found, name = {}, "front matter"
    for cell in notebook.cells:
        heading = re.match(r"## (.+)", cell.source)
        if cell.cell_type == "markdown" and heading:
            name = heading[1]
            assert name not in found, f"two sections are called {name}"
        found.setdefault(name, []).append(cell)
    return found


def text(cells, cell_type):
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == cell_type)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def both_ways(source):
    """The cells of code as shipped, and those with the solutions filled in."""
    notebook = build.read_source(source)
    return [code_cells(notebook), code_cells(build.solved(notebook))]


@each_lesson
def test_sections_stand_in_the_order_of_the_template(source):
    found = sections(build.read_source(source))
    assert list(found) == ["front matter", *SECTIONS]
    assert "plots." in text(found["Picture"], "code")
    folded = r"<details><summary>Answer</summary>\n\n.+\n\n</details>"
    assert re.search(folded, text(found["Predict"], "markdown"), re.DOTALL)
    assert "inspect.getsource(" in text(found["Check"], "code"), "the lesson reads the library's own file"
    if "01" <= source.stem[:2] <= "09":
        assert "gradcheck(" in text(found["Check"], "code")
    assert "**Symptom.**" in text(found["Break it"], "markdown")
    assert re.search(r"```console\n\$ minimixer [^\n]+\n```", text(found["Exercise"], "markdown")), "one command"
    assert text(found["Exercise"], "code") == ""


@each_lesson
def test_front_matter(source):
    number = int(source.stem[:2])
    first = build.read_source(source).cells[0].source
    assert re.match(rf"# {number:02d} \w", first)
    facts = dict(re.findall(r"^- \*\*(\w+):\*\* (.+)$", first, re.M))
    assert list(facts) == FACTS
    assert re.fullmatch(r"\d+ minutes to read, \d+ to do, \d+ seconds? of computing \(measured on 2 cores\)",
                        facts["Time"])
    for fact, neighbour in (("Previous", number - 1), ("Next", number + 1)):
        link = re.search(r"\]\(((\d\d)_\w+)\.ipynb\)", facts[fact])
        assert link or facts[fact] == "none"
        if link:
            assert int(link[2]) == neighbour
            there = [path.stem for path in build.sources() if int(path.stem[:2]) == neighbour]
            assert there in ([], [link[1]])


@each_lesson
def test_cells_are_short(source):
    for cell in chain(*both_ways(source)):
        lines = [line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("#")]
        assert len(lines) <= MOST_LINES, cell.source


@each_lesson
def test_only_minimixer_numpy_matplotlib_and_the_standard_library_are_imported(source):
    for node in ast.walk(ast.parse("\n".join(cell.source for cell in chain(*both_ways(source))))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
            [node.module] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] in {"minimixer", "numpy", "matplotlib", *sys.stdlib_module_names}
            assert name != "matplotlib.pyplot", "plots.figure() shows itself, without global state"


class Names(ast.NodeVisitor):
    """What a cell binds and reads in the notebook's own name space (functions and comprehensions have theirs)."""

    def __init__(self, source):
        self.bound, self.read = set(), set()
        self.visit(ast.parse(source))

    def visit_Name(self, node):
        (self.read if isinstance(node.ctx, ast.Load) else self.bound).add(node.id)

    def visit_AugAssign(self, node):
        self.read |= {node.target.id} if isinstance(node.target, ast.Name) else set()
        self.generic_visit(node)

    def visit_alias(self, node):
        self.bound.add((node.asname or node.name).split(".")[0])

    def visit_ExceptHandler(self, node):
        self.bound |= {node.name} if node.name else set()
        self.generic_visit(node)

    def visit_scope(self, node):
        inner = Names("")
        inner.generic_visit(node)
        own = inner.bound | {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)}
        self.read |= inner.read - own
        if hasattr(node, "name"):
            self.bound.add(node.name)

    visit_FunctionDef = visit_ClassDef = visit_Lambda = visit_scope
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_scope


def clashes(cells):
    """Names that two cells bind and another one reads, or that a cell changes though another has bound them."""
    names = [Names(cell) for cell in cells]
    for name in set.union(*(n.bound for n in names)):
        binders = [i for i, n in enumerate(names) if name in n.bound]
        readers = [i for i, n in enumerate(names) if name in n.read and name not in n.bound]
        if len(binders) > 1 and readers:
            yield name


@each_lesson
def test_no_cell_rebinds_a_name_that_another_cell_needs(source):
    for cells in both_ways(source):
        assert sorted(clashes([cell.source for cell in cells])) == []


def test_a_rebound_name_is_found():
    assert list(clashes(["a = 1", "b = a", "a = 2"])) == ["a"]
    assert list(clashes(["for i in x: print(i)", "for i in y: print(i)", "z = [i for i in x]", "lambda i: i"])) == []


SOLUTION = re.compile(r"\*\*Your turn\.\*\* .+\n\n<details><summary>Solution</summary>\n\n"
                      r"```python\n.+\n```\n\n</details>", re.DOTALL)


@each_lesson
def test_the_readers_turns(source):
    notebook = build.read_source(source)
    tasks = [i for i, cell in enumerate(notebook.cells) if cell.source.startswith("**Your turn.**")]
    to_fill_in = [i for i, cell in enumerate(notebook.cells) if build.YOUR_TURN in cell.metadata.get("tags", [])]
    assert [i + 1 for i in tasks] == to_fill_in, "each task has its cell, tagged your-turn"
    assert 2 <= len(to_fill_in) <= 3
    allowed = [cell for name in HANDS_ON for cell in sections(notebook)[name]]
    solutions = [cell for _, cell, _ in build.turns(build.solved(notebook))]
    for (task, cell, check), solution in zip(build.turns(notebook), solutions, strict=True):
        assert task in allowed, f"a turn stands in one of {', '.join(HANDS_ON)}"
        assert SOLUTION.fullmatch(task.source), task.source
        assert re.search(r"^(\w+ = |    )\.\.\.( *#.*)?$", cell.source, re.M), "a name, or a function's body, is `...`"
        assert check.source.count("mm.exercises.turn(") == 1
        shipped, filled = Names(cell.source), Names(solution.source)
        assert shipped.bound <= filled.bound, "the solution defines what the cell defines"
        for other in code_cells(notebook):
            if other not in (cell, check):
                needs = Names(other.source)
                assert not (shipped.bound | filled.bound) & (needs.read - needs.bound), \
                    f"what the reader makes is read by its check alone, not by {other.source[:60]!r}"


@each_lesson
def test_the_stated_reading_time(source):
    built = nbformat.read(build.notebook_of(source), as_version=4)
    assert build.stated_minutes(built) == build.reading_minutes(built)


@each_lesson
def test_prose_repeats_the_numbers_that_are_printed(source):
    assert build.not_printed(nbformat.read(build.notebook_of(source), as_version=4)) == []


@each_lesson
def test_every_figure_says_in_words_what_it_shows(source):
    assert build.without_alt(nbformat.read(build.notebook_of(source), as_version=4)) == []


@each_lesson
def test_the_notebook_is_built_from_the_source(source):
    built = nbformat.read(build.notebook_of(source), as_version=4)
    assert build.differences(built, build.read_source(source), with_outputs=False) == []
    assert all(cell.execution_count == i for i, cell in enumerate(code_cells(built), 1)), "build it anew"
    assert not any(output.output_type == "error" for cell in code_cells(built) for output in cell.outputs)


@each_lesson
@pytest.mark.lesson
def test_it_runs_as_shipped_then_with_solutions_and_gives_the_same(source):
    shipped = build.read_source(source)
    filled = build.solved(build.read_source(source))
    both = build.read_source(source)
    both.cells = shipped.cells + filled.cells                       # in one kernel
    for number, cell in enumerate(both.cells):
        cell.id = f"cell-{number}"
    seconds = build.execute(both, fast=True)
    assert seconds[len(seconds) // 2 - 1] <= build.stated_seconds(both) + TO_START
    half = len(shipped.cells)
    first, second = SimpleNamespace(cells=both.cells[:half]), SimpleNamespace(cells=both.cells[half:])
    assert build.unexpected_verdicts(first, build.UNTOUCHED) == []
    assert build.unexpected_verdicts(second, build.RIGHT) == []
    readers = [cell.id for _, *pair in build.turns(first) for cell in pair]
    for one, other in zip(first.cells, second.cells, strict=True):
        assert one.id in readers or build.outputs(one) == build.outputs(other), one.source
    assert not any(output.get("name") == "stderr" for cell in code_cells(both) for output in cell.outputs)


def test_every_notebook_has_a_source():
    assert {path.stem for path in build.NOTEBOOKS.glob("*.ipynb")} == {path.stem for path in build.sources()}
