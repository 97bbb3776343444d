"""The kernel in which lessons run: fresh, without a network, with fixed ids."""

import copy
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason="needs the extra minimixer[lessons]")
pytest.importorskip("nbclient", reason="needs the extra minimixer[lessons]")
from nbclient.exceptions import CellExecutionError

from tests.support.by_path import module_at

build = module_at(Path(__file__).parents[2] / "lessons" / "build.py")


def notebook_with(tmp_path, code):
    source = tmp_path / "99_test.py"
    source.write_text(f"# %% [markdown]\n# # 99 Test\n\n# %%\n{code}\n")
    return build.read_source(source)


def test_ids_and_metadata_are_fixed(tmp_path):
    notebook = notebook_with(tmp_path, "1")
    assert [cell.id for cell in notebook.cells] == ["99-00", "99-01"]
    assert notebook.metadata.language_info == {"name": "python"}


TURN = """# %% [markdown]
# # 99 Test

# %% [markdown]
# **Your turn.** Set `double` to twice 4.
#
# <details><summary>Solution</summary>
#
# ```python
# double = 2 * 4
# ```
#
# </details>

# %% tags=["your-turn"]
double = ...

# %%
mm.exercises.turn(double, right=8)
"""


def with_turn(tmp_path, verdict):
    """A lesson with one turn, as if it had been executed."""
    (tmp_path / "99_turn.py").write_text(TURN)
    notebook = build.read_source(tmp_path / "99_turn.py")
    for cell in notebook.cells[2:]:
        cell.outputs = []
    notebook.cells[-1].outputs = [build.nbformat.v4.new_output("stream", text=f"{verdict}\n")]
    return notebook


def test_solutions_are_filled_in(tmp_path):
    notebook = with_turn(tmp_path, build.UNTOUCHED)
    assert [cell.source for cell in build.solved(notebook).cells[2:]] == [
        "double = 2 * 4", "mm.exercises.turn(double, right=8)"]
    assert notebook.cells[2].source == "double = ..."
    notebook.cells[1].source = "**Your turn.** Without a solution."
    with pytest.raises(SystemExit, match="expected one solution, found 0"):
        build.solved(notebook)


def test_another_verdict_is_found(tmp_path):
    assert build.unexpected_verdicts(with_turn(tmp_path, build.RIGHT), build.RIGHT) == []
    for verdict in ("Your answer, 7, is too small.", build.UNTOUCHED, "Right. Right."):
        assert len(build.unexpected_verdicts(with_turn(tmp_path, verdict), build.RIGHT)) == 1


def test_reading_time_is_words_code_and_figures():
    new = build.nbformat.v4
    figure = new.new_output("display_data", {"image/png": "", "text/plain": "<Figure>"})
    words = new.new_markdown_cell("one | -- | two <br> three <!-- not this -->\n" + "word " * 257)        # 2 minutes
    cells = [words, new.new_code_cell("1"), new.new_code_cell("2", outputs=[figure])]                   # 1.5 minutes
    assert build.reading_minutes(new.new_notebook(cells=cells)) == 4
    cells[0].source += " more"
    cells[2].outputs = []
    assert build.reading_minutes(new.new_notebook(cells=cells)) == 4
    cells.pop()
    assert build.reading_minutes(new.new_notebook(cells=cells)) == 3


PRINTED = """We have 1,234 parameters, 12 % of them here,
the error is $-3.1e-5$ in float64; lesson 07 and [that one](08_token_mixing.ipynb) say why. <!-- printed -->"""


@pytest.fixture
def prose():
    """A notebook whose prose repeats what its cell prints."""
    new = build.nbformat.v4
    said = new.new_output("stream", text="parameters: 1234\nshare 12.0% error -3.1e-05\n")
    return new.new_notebook(cells=[new.new_markdown_cell("Not marked: 77.\n\n" + PRINTED),
                                   new.new_code_cell("print(...)", outputs=[said])])


def test_prose_may_repeat_printed_numbers(prose):
    assert build.not_printed(prose) == []


@pytest.mark.parametrize(("right", "planted"), [
    ("1,234", "1,235"), ("12 %", "13 %"), ("-3.1e-5", "3.1e-5"), ("-3.1e-5", "-3.10001e-5"), ("-3.1e-5", "-3e-5"),
    ("1,234 parameters", "1,234 parameters in 2 layers")])
def test_a_planted_difference_is_found(prose, right, planted):
    other = copy.deepcopy(prose)
    other.cells[0].source = prose.cells[0].source.replace(right, planted)
    assert other.cells[0].source != prose.cells[0].source
    assert len(build.not_printed(other)) == 1


def test_a_marked_paragraph_must_have_a_number(prose):
    prose.cells[0].source = "Nothing to compare. <!-- printed -->"
    assert build.not_printed(prose) == ["no cell prints a number of 'Nothing to compare. <!-- printed -->'"]


@pytest.mark.lesson
def test_builds_in_one_folder_share_no_sockets(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    notebook = notebook_with(tmp_path, "import os; print(os.listdir())")
    monkeypatch.chdir(tmp_path / "here")
    build.execute(notebook)
    assert build.printed(notebook.cells[1]) == "[]\n"


@pytest.mark.lesson
@pytest.mark.parametrize("code", ["import socket; socket.create_connection(('127.0.0.1', 80))",
                                  "import urllib.request; urllib.request.urlopen('http://example.org')"])
def test_a_lesson_cannot_use_the_network(tmp_path, code):
    with pytest.raises(CellExecutionError, match="must not use the network"):
        build.execute(notebook_with(tmp_path, code))


@pytest.mark.lesson
def test_a_image_shows_itself_and_is_the_same_to_the_byte(tmp_path):
    code = "from minimixer import plots\nplots.shapes({'x': {'B': 2, 'C': 3}})"
    first, second = notebook_with(tmp_path, code), notebook_with(tmp_path, code)
    build.execute(first)
    build.execute(second)
    assert "image/png" in first.cells[1].outputs[0].data
    assert build.differences(first, second, with_outputs=True) == []
    second.cells[1].outputs[0].data["image/png"] = ""
    assert len(build.differences(first, second, with_outputs=True)) == 1


def test_a_figure_without_words_is_found():
    new = build.nbformat.v4

    def cell(metadata):
        output = new.new_output("display_data", {"image/png": "", "text/plain": "<Figure>"}, metadata=metadata)
        return new.new_code_cell("draw()", outputs=[output])

    cells = [cell({"image/png": {"alt": "A tree."}}), new.new_markdown_cell("Text."), cell({"image/png": {"alt": " "}}),
             cell({}), new.new_code_cell("1", outputs=[new.new_output("execute_result", {"text/plain": "1"})])]
    assert build.without_alt(new.new_notebook(cells=cells)) == [
        "a figure has no alt text: give alt=... in 'draw()'"] * 2
