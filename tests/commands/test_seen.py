"""``minimixer predict`` shows images as the model saw them: every pixel in the terminal, and in a file."""

import io
import json

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image
from rich.console import Console

from minimixer.commands import predict, seen
from minimixer.data import load_digits
from minimixer.play.pictures import CANVAS, PICTURES, drawn
from minimixer.plots.style import is_plot
from tests.support.commands import predict as main


def terminal(width=80, **options):
    told = {"force_terminal": True, "color_system": "truecolor", **options}
    encoding = told.pop("encoding", "utf-8")
    return Console(file=io.TextIOWrapper(io.BytesIO(), encoding=encoding), width=width, **told)


def pixels(text):
    """The colors of the cells: (lines, columns, 2, 3), the lower and the upper half of each."""
    rows = []
    for line in text.split("\n", allow_blank=False):
        cells = [span.style for span in line.spans for _ in range(span.start, span.end)]
        rows.append([[(style.color or style.bgcolor).triplet, (style.bgcolor or style.color).triplet]
                     for style in cells])
    return np.array(rows)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 16, 31, 32])
def test_each_pixel_is_in_the_terminal(side, channels, rng):
    image = rng.integers(0, 256, (side, side, channels), np.uint8)
    cells = pixels(seen.in_terminal(image, terminal()))
    rgb = np.broadcast_to(image, (side, side, 3))
    if side <= seen.LARGE_PIXELS:
        np.testing.assert_array_equal(cells[:, ::2, 0], rgb)
        np.testing.assert_array_equal(cells[:, 1::2, 1], rgb)
    else:
        np.testing.assert_array_equal(cells[:, :, 0], rgb[::2])
        np.testing.assert_array_equal(cells[:side // 2, :, 1], rgb[1::2])


@pytest.mark.parametrize("out", [
    terminal(32), terminal(force_terminal=False), terminal(no_color=True), terminal(color_system="standard"),
    terminal(encoding="ascii")], ids=["narrow", "file", "no color", "16 colors", "ascii"])
def test_a_terminal_that_cannot_show_it_is_spared(out):
    assert seen.in_terminal(np.zeros((32, 32, 3), np.uint8), out) is None
    assert seen.in_terminal(np.zeros((32, 32, 3), np.uint8), terminal()) is not None


def test_a_terminal_shows_few_images_and_a_pipe_none(trained_run, tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(predict, "in_terminal", lambda image, out: asked.append(image))
    digits = load_digits().test_images[:9, ..., 0]
    for i, image in enumerate(digits):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    assert main([str(trained_run), str(tmp_path / "3.png")]) == 0
    np.testing.assert_array_equal(asked[0][..., 0], digits[3])
    assert main([str(trained_run), str(tmp_path)]) == 0
    assert main([str(trained_run), str(tmp_path / "3.png"), "--json"]) == 0
    assert len(asked) == 1


def test_a_file_shows_what_the_model_saw(trained_run, tmp_path, monkeypatch, capsys):
    shown = []
    write = seen.plots.image_grid
    monkeypatch.setattr(seen.plots, "image_grid", lambda *given, **more: shown.append(given) or write(*given, **more))
    digit = load_digits().test_images[3]
    Image.fromarray(digit[..., 0]).save(tmp_path / "seven.png")
    (tmp_path / "bad.png").write_text("no image")
    out = tmp_path / "seen.png"
    for _ in range(2):                                                  # the second time in the place of the first
        assert main([str(trained_run), str(tmp_path / "seven.png"), str(tmp_path / "bad.png"), "--invert", "--json",
                     "--seen", str(out)]) == 3
    images, captions, *_ = shown[0]
    np.testing.assert_array_equal(images[0], 255 - digit)
    printed, said = capsys.readouterr()
    best = json.loads(printed.splitlines()[0])["predictions"][0]
    assert captions == [f"seven.png: {best['class']} ({best['probability']:.0%})"]
    assert f"{out} shows what the model saw" in said
    assert is_plot(out)
    assert imread(out).shape[1] > imread(out).shape[0]


def test_a_file_of_many_says_what_it_leaves_out(trained_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(predict, "IN_FILE", 2)
    Image.fromarray(load_digits().test_images[3, ..., 0]).save(tmp_path / "a.png")
    assert main([str(trained_run), *[str(tmp_path / "a.png")] * 3, "--json", "--seen", str(tmp_path / "s.png")]) == 0
    assert "s.png shows the first 2 of what the model saw" in capsys.readouterr().err


def test_no_image_leaves_no_file(trained_run, tmp_path, capsys):
    out = tmp_path / "seen.png"
    assert main([str(trained_run), str(tmp_path / "none.png"), "--seen", str(out)]) == 3
    assert "seen.png is not written: no image could be read" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(("name", "message"), [
    ("seen.jpg", "expected a name that ends in .png"), ("folder.png", "a folder: name a file, such as"),
    ("none/seen.png", "there is no folder"), ("mine.png", "did not write it, so it is kept: name another place with "
                                              "--seen")])
def test_a_place_that_is_none_is_refused_before_anything(name, message, tmp_path, capsys):
    (tmp_path / "folder.png").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(mine := tmp_path / "mine.png")
    before = mine.read_bytes()
    assert main(["--example", "--seen", str(tmp_path / name)]) in (1, 2)
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
    assert mine.read_bytes() == before


def test_the_example_is_our_drawing_of_a_ship_and_recognized(capsys):
    images, _ = drawn(list(PICTURES), CANVAS)
    np.testing.assert_array_equal(np.asarray(Image.open(predict.EXAMPLE)), images[list(PICTURES).index("ship")])
    assert main(["--example", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["image"] == str(predict.EXAMPLE)
    assert answer["predictions"][0]["class"] == "ship"


def test_the_example_is_alone(capsys):
    assert main(["--example", "a.png"]) == 2
    assert "--example shows ship.png, and a.png is named too: leave out one of them" in capsys.readouterr().err
