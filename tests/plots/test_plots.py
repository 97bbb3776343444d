"""Plots have the labels they promise, and refuse what they cannot draw."""

import subprocess
import sys

import numpy as np
import pytest

import minimixer as mm
from minimixer import plots


def words(figure):
    figure.draw_without_rendering()
    return [text.get_text() for axes in figure.axes for text in [*axes.texts, axes.title] if text.get_text()]


def test_shapes_label_every_axis_and_array():
    figure = plots.shapes({"x": {"B": 2, "S": 4, "C": 6}, "bias": {"C": 6}, "loss": {}}, "+=", "title")
    shown = words(figure)
    for word in ("x", "(B, S, C)", "bias", "(C,)", "loss", "()", "B = 2", "S = 4", "C = 6", "+", "=", "title"):
        assert word in shown


def test_shapes_takes_real_sizes_and_refuses_four_axes():
    assert "C = 768" in words(plots.shapes({"x": {"B": 4096, "S": 196, "C": 768}}))
    with pytest.raises(ValueError, match="x has 4 axes"):
        plots.shapes({"x": {"B": 1, "H": 2, "W": 2, "C": 3}})


def test_shapes_draws_brackets_and_goes_on_below():
    boxes = {name: {"S": 4, "C": 6} for name in "abcdefg"}
    figure = plots.shapes(boxes, ["(", "-", ")*", *"++="])
    assert [word for word in words(figure) if word in "()-*+="] == ["(", "-", ")", "*", "+", "+", "="]
    heights = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}
    assert heights["a"] == heights["b"] > heights["g"]
    assert figure.get_size_inches()[0] < 11.5
    with pytest.raises(ValueError, match="3 signs for 2 arrays"):
        plots.shapes({"a": {}, "b": {}}, "+-=")


def test_the_words_of_shapes_do_not_overlap():
    axis = "P x P x 3"
    figure = plots.shapes({"x": {"S": 16, axis: 192}, "weight": {axis: 192, "C": 64}, "y": {"S": 16, "C": 64}}, "@=")
    figure.draw_without_rendering()
    places = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert not any(a.overlaps(b) for i, a in enumerate(places) for b in places[:i])


def test_transposition_writes_the_numbers_of_both_tables():
    shown = words(plots.transposition(np.array([[1, 2, 3], [4, 5, 6]]), row=1, names=("S", "C")))
    for number in "123456":
        assert shown.count(number) == 2
    assert shown.count("S = 2") == shown.count("C = 3") == 2
    assert plots.transposition(np.zeros((64, 16)))


def test_graph_shows_every_op_under_the_name_of_its_reference_and_every_leaf():
    layer = mm.nn.Linear(3, 2)
    y = mm.functional.gelu(layer(mm.Tensor(np.ones((4, 3), np.float32))))
    loss = (y * y).mean()
    figure = plots.graph(loss, {"weight": layer.weight, "loss": loss})
    assert sorted(t for t in words(figure) if t) == sorted([
        "weight\n(3, 2)", "leaf\n(2,)", "Linear\n(4, 2)", "GELU\n(4, 2)", "Multiply\n(4, 2)", "loss = Mean\n()"])
    arrows = [text for text in figure.axes[0].texts if getattr(text, "arrow_patch", None)]
    assert len(arrows) == 6                     # y * y has two


def test_a_module_names_its_parameters_in_the_graph():
    mlp = mm.nn.MlpBlock(3, 5)
    y = mlp(mm.Tensor(np.ones((4, 3), np.float32)))
    assert {"mlp.fc1.weight\n(3, 5)", "mlp.fc2.bias\n(3,)"} <= set(words(plots.graph(y, {"mlp": mlp})))
    assert {"fc1.weight\n(3, 5)", "y = Linear\n(4, 3)"} <= set(words(plots.graph(y, {"": mlp, "y": y})))


def test_graph_of_a_long_chain_needs_no_recursion():
    x = y = mm.Tensor(np.ones(1), requires_grad=True)
    for _ in range(1500):
        y = -y
    from minimixer.plots.graph import _leaves_first
    assert len(_leaves_first(y.node)) == 1501
    assert _leaves_first(y.node)[0] is x


def test_graph_refuses_a_tensor_without_history():
    with pytest.raises(ValueError, match="no history"):
        plots.graph(mm.Tensor(np.ones(2), requires_grad=True))


@pytest.mark.parametrize("channels", [1, 3])
def test_patch_grid_numbers_the_patches_in_reading_order(channels, rng):
    figure = plots.patch_grid(rng.integers(0, 256, (8, 12, channels), np.uint8), 4)
    assert [text.get_text() for text in figure.axes[1].texts] == list("012345")
    assert f"S = 2 x 3 = 6 patches, each 4 x 4 x {channels} = {16 * channels} numbers" in words(figure)


def test_patch_grid_shows_what_the_op_cuts(rng):
    image = rng.random((8, 12, 3), np.float32)
    patches = mm.functional.patches(mm.Tensor(image[None]), 4).data[0].reshape(6, 4, 4, 3)
    shown = [np.asarray(drawn.get_array()) for drawn in plots.patch_grid(image, 4).axes[1].images]
    np.testing.assert_array_equal(shown, patches)
    with pytest.raises(ValueError, match="cannot be cut"):
        plots.patch_grid(image, 5)


def test_weight_maps_share_one_scale_around_zero(rng):
    weights = rng.standard_normal((5, 3, 4))
    figure = plots.weight_maps(weights, list("abcde"), columns=3)
    images = [image for axes in figure.axes for image in axes.images]
    assert len(images) == 5
    largest = np.abs(weights).max()
    assert {image.get_clim() for image in images} == {(-largest, largest)}


def test_lines_tell_five_curves_apart_and_no_more():
    curves = {str(i): [1.0, 2.0] for i in range(5)}
    figure = plots.lines([1.0, 2.0], curves, xlabel="x", ylabel="y", log="xy", marks={"here": 1.5})
    drawn = [line for line in figure.axes[0].lines if line.get_label() in curves]
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in drawn}) == 5
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"
    with pytest.raises(ValueError, match="6 curves"):
        plots.lines([1.0], {str(i): [1.0] for i in range(6)}, xlabel="", ylabel="")


def test_a_figure_shows_itself_without_pyplot():
    code = ("import sys; from minimixer import plots; png = plots.figure()._repr_png_(); "
            "assert png.startswith(b'\\x89PNG') and png == plots.figure()._repr_png_(); "
            "assert 'matplotlib.pyplot' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)


METRICS = [{"epoch": 0.5, "train_loss": 1.0}, {"epoch": 1, "train_loss": 0.8},
           *({"epoch": epoch, "P_loss": 1 / epoch, "P_accuracy": accuracy}
             for epoch, accuracy in enumerate((0.5, 0.75, 0.75, 0.625), 1))]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved."""
    figures = []
    monkeypatch.setattr(plots.runs, "save", lambda figure, path: figures.append(figure))
    return figures


@pytest.mark.parametrize("part", ["test", "validation"])
def test_curves_state_the_last_accuracy_first_and_which_images_chose_the_best(part, drawn, tmp_path):
    metrics = [{name.replace("P", part): value for name, value in line.items()} for line in METRICS]
    plots.curves(metrics, tmp_path / "c.png", "t", "training, smoothed labels", 0.5)
    shown = words(drawn[0])
    assert [text for text in shown if "%" in text] == [
        "62.50 % after the last epoch", f"best (ring): 75.00 % after epoch 3,\nchosen on these {part} images"]
    legend = [text.get_text() for text in drawn[0].axes[0].get_legend().get_texts()]
    assert legend == ["training, smoothed labels", "its floor, 0.50", part]
    [floor] = [line for line in drawn[0].axes[0].lines if line.get_label().startswith("its floor")]
    assert list(floor.get_ydata()) == [0.5, 0.5]
    assert floor.get_linestyle() == ":"


def test_curves_draw_no_floor_at_zero_and_one_test_has_chosen_nothing(drawn, tmp_path):
    plots.curves([{"epoch": 1, "train_loss": 1.0}, {"epoch": 1, "test_loss": 1.0, "test_accuracy": 0.5}],
                 tmp_path / "c.png")
    assert not [text for text in words(drawn[0]) if "chosen" in text]
    assert [text.get_text() for text in drawn[0].axes[0].get_legend().get_texts()] == ["training", "test"]


@pytest.mark.parametrize("title", ["", "what they show"])
def test_a_grid_shows_every_image_in_reading_order(tmp_path, title):
    from matplotlib.image import imread
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]], np.uint8)
    images = np.broadcast_to(colors[:, None, None], (5, 6, 6, 3))
    plots.image_grid(images, list("abcde"), tmp_path / "grid.png", title, columns=3)
    drawn = np.rint(255 * imread(tmp_path / "grid.png")[..., :3])
    centers = [np.argwhere((drawn == color).all(-1)).mean(0) for color in colors]
    rows, columns = np.array(centers).T
    assert rows[0] == pytest.approx(rows[1]) == pytest.approx(rows[2])
    assert rows[3] == pytest.approx(rows[4])
    assert rows[0] < rows[3]
    assert columns[0] == pytest.approx(columns[3])
    assert columns[1] == pytest.approx(columns[4])
    assert columns[0] < columns[1] < columns[2]


def test_images_of_one_channel_are_gray_from_black_to_white(tmp_path):
    from matplotlib.image import imread
    images = np.stack([np.full((4, 4, 1), level, np.uint8) for level in (0, 128)])
    plots.image_grid(images, ["black", "gray"], tmp_path / "grid.png")
    drawn = np.rint(255 * imread(tmp_path / "grid.png")[..., :3])
    assert {(0, 0, 0), (128, 128, 128)} <= set(map(tuple, drawn.reshape(-1, 3)))


def test_the_old_name_of_the_grid_warns_and_works():
    with pytest.warns(DeprecationWarning, match="picture_grid is now called image_grid"):
        assert plots.picture_grid is plots.image_grid
    with pytest.raises(AttributeError, match="no attribute 'picture_grids'"):
        plots.picture_grids  # noqa: B018


def test_a_confusion_matrix_is_shares_of_its_rows(tmp_path):
    figure = plots.confusion(np.array([[3, 1], [0, 4]]), ["cat", "dog"], tmp_path / "a.png", "title")
    axes = figure.axes[0]
    assert {text.get_text() for text in axes.texts} == {"75", "25", "100"}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert plots.confusion(np.eye(2), ["cat", "dog"])._repr_png_().startswith(b"\x89PNG")


def test_a_few_whole_numbers_on_a_logarithmic_axis_are_its_ticks():
    axes = plots.lines([1, 2, 8], {"a": [1.0, 2.0, 3.0]}, xlabel="", ylabel="", log="x").axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "8"]
