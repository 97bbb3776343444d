"""Every figure says in words what it shows, in the way notebooks keep it."""

import inspect

import numpy as np
import pytest

import minimixer as mm
from minimixer import plots

LAYER = mm.nn.Linear(3, 2)
MAPS = np.arange(-3.0, 3.0).reshape(2, 1, 3)
FIGURES = {
    "shapes": (lambda alt: plots.shapes({"x": {"B": 2, "C": 3}, "mean": {"B": 2}, "loss": {}}, ["(", "-", ")→"],
                                        alt=alt),
               ["(x [B = 2, C = 3] - mean [B = 2]) → loss [a number]"]),
    "transposition": (lambda alt: plots.transposition(np.zeros((2, 3)), row=1, alt=alt), ["S = 2 rows", "row 1"]),
    "graph": (lambda alt: plots.graph(LAYER(mm.Tensor(np.ones((4, 3), np.float32))), {"fc": LAYER}, alt=alt),
              ["1 ops and 2 leaves", "Linear of fc.weight and fc.bias, (4, 2)"]),
    "patch_grid": (lambda alt: plots.patch_grid(np.zeros((4, 8, 3)), 4, alt=alt),
                   ["4 x 8 pixels", "1 x 2 = 2 patches"]),
    "token_mixing": (lambda alt: plots.token_mixing(np.eye(4)[..., None], 2, lambda rows: rows, alt=alt),
                     ["S = 4", "C = 4"]),
    "weight_maps": (lambda alt: plots.weight_maps(MAPS, ["left", "right"], alt=alt), ["left, right", "from -3 to 2"]),
    "yes_no_maps": (lambda alt: plots.yes_no_maps(MAPS > -3, ["left", "right"], alt=alt),
                    ["left: all of column 1 and all of column 2", "right: all"]),
    "lines": (lambda alt: plots.lines([1, 2], {"a": [3.0, 0.5]}, xlabel="step", ylabel="loss", alt=alt),
              ["loss against step", "a: from 3 to 0.5"]),
    "confusion": (lambda alt: plots.confusion(np.array([[3, 1], [0, 4]]), ["cat", "dog"], alt=alt),
                  ["cat 75 %, dog 100 %"]),
}


def test_every_function_that_returns_a_figure_takes_alt():
    returning = {name for name in plots.__all__ if inspect.isfunction(getattr(plots, name))
                 and "Figure" in str(inspect.signature(getattr(plots, name)).return_annotation)}
    assert returning == FIGURES.keys() | {"figure"}
    assert all("alt" in inspect.signature(getattr(plots, name)).parameters for name in returning)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_describes_itself_and_takes_better_words(name):
    make, expected = FIGURES[name]
    for words in expected:
        assert words in make("").alt
    assert make("better words").alt == "better words"


def test_a_notebook_gets_the_words_beside_the_image():
    figure = plots.figure(1, 1, alt="""Two
                                       lines.""")
    data, metadata = figure._repr_mimebundle_()
    assert data == {"image/png": figure._repr_png_(), "text/plain": "Two lines."}
    assert metadata == {"image/png": {"alt": "Two lines."}}


def test_without_words_there_is_no_empty_description():
    data, metadata = plots.figure(1, 1)._repr_mimebundle_()
    assert list(data) == ["image/png"]
    assert metadata == {}


def test_ipython_keeps_them_as_for_its_own_images():
    formatters = pytest.importorskip("IPython.core.formatters", reason="needs the extra minimixer[lessons]")
    display = pytest.importorskip("IPython.display")
    data, metadata = formatters.DisplayFormatter().format(plots.figure(1, 1, alt="A tree."))
    assert data["text/plain"] == "A tree."
    _, of_image = formatters.DisplayFormatter().format(display.Image(data=data["image/png"], alt="A tree."))
    assert metadata == of_image == {"image/png": {"alt": "A tree."}}
