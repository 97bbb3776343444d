"""The kernel in which lessons run: fresh, without a network, with fixed ids."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason="needs the extra minimixer[lessons]")
pytest.importorskip("nbclient", reason="needs the extra minimixer[lessons]")
from nbclient.exceptions import CellExecutionError

specification = importlib.util.spec_from_file_location("lessons_build", Path(__file__).parents[2] / "lessons/build.py")
build = importlib.util.module_from_spec(specification)
specification.loader.exec_module(build)


def notebook_with(tmp_path, code):
    source = tmp_path / "99_test.py"
    source.write_text(f"# %% [markdown]\n# # 99 Test\n\n# %%\n{code}\n")
    return build.read_source(source)


def test_ids_and_metadata_are_fixed(tmp_path):
    notebook = notebook_with(tmp_path, "1")
    assert [cell.id for cell in notebook.cells] == ["99-00", "99-01"]
    assert notebook.metadata.language_info == {"name": "python"}


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
