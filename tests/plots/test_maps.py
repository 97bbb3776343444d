"""Maps of numbers and of yes and no, and the way through token mixing."""

import numpy as np
import pytest

from minimixer import plots

TABLES = np.zeros((2, 4, 6), bool)
TABLES[0, 1, 3] = TABLES[1, :, 3] = True


def images(figure):
    return [image for axes in figure.axes for image in axes.images]


def test_maps_of_yes_and_no_have_no_scale_and_two_colors():
    figure = plots.yes_no_maps(TABLES, ["x", "y"], names=("S", "C"), mark=(1, 3))
    assert len(figure.axes) == 2
    np.testing.assert_array_equal([image.get_array() for image in images(figure)], TABLES)
    assert all(image.cmap.N == 2 and image.get_clim() == (0, 1) for image in images(figure))
    for axes in figure.axes:
        assert (axes.get_ylabel(), axes.get_xlabel()) == ("S", "C")
        assert [line.get_xydata().tolist() for line in axes.lines] == [[[3, 1]]]


def test_each_kind_of_map_refuses_what_belongs_to_the_other():
    with pytest.raises(ValueError, match="use yes_no_maps"):
        plots.weight_maps(TABLES)
    with pytest.raises(ValueError, match="hold float64, expected bool"):
        plots.yes_no_maps(TABLES.astype(float))


def test_the_fewer_maps_in_a_row_the_larger_they_are():
    widths = [plots.weight_maps(np.zeros((columns, 5, 5)), columns=columns).get_size_inches()[0] / columns
              for columns in (8, 6, 4)]
    assert 1.3 < widths[0] < widths[1] < widths[2]


def test_numbers_are_written_with_one_decimal():
    figure = plots.weight_maps(np.array([[[1.26, -0.04], [3.0, -2.5]]]), numbers=True)
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.3", "0.0", "3.0", "-2.5"]


def test_token_mixing_draws_the_tables_of_the_op(rng):
    image, weight = rng.random((8, 8, 1)), rng.standard_normal((4, 4))
    shown = images(plots.token_mixing(image, 4, lambda rows: rows @ weight))
    tiles, tables = shown[:4], [np.asarray(drawn.get_array()) for drawn in shown[4:]]
    rows = np.array([image[r:r + 4, c:c + 4].ravel() for r in (0, 4) for c in (0, 4)])          # (S, C)
    np.testing.assert_array_equal([np.asarray(tile.get_array()).ravel() for tile in tiles], rows)
    for table, expected in zip(tables, (rows, rows.T, rows.T @ weight, (rows.T @ weight).T), strict=True):
        np.testing.assert_allclose(table, expected)


@pytest.mark.parametrize(("shape", "mix", "problem"), [
    ((8, 8, 3), lambda rows: rows, "has 3 color channels, expected a gray one"),
    ((8, 6, 1), lambda rows: rows, "8 x 6 pixels cannot be cut into patches of 4 x 4"),
    ((8, 8, 1), lambda rows: rows[:, :2], r"turned shape \(16, 4\) into \(16, 2\)"),
])
def test_token_mixing_says_what_it_cannot_draw(shape, mix, problem):
    with pytest.raises(ValueError, match=problem):
        plots.token_mixing(np.zeros(shape), 4, mix)
