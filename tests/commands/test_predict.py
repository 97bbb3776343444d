"""``minimixer predict``: probabilities of files of any kind, and what happens to those that cannot be read."""

import json

import numpy as np
import pytest
from PIL import Image

from minimixer.commands import predict
from minimixer.commands.predict import expanded
from minimixer.data import load_digits
from minimixer.train import load_run
from tests.support.commands import predict as main


@pytest.fixture
def digits():
    return load_digits()


def image(digits, i, path):
    Image.fromarray(digits.test_images[i, ..., 0]).save(path)
    return str(path)


def test_predict_gives_the_probabilities_of_the_model(trained_run, digits, tmp_path, capsys):
    paths = [image(digits, i, tmp_path / f"{i}.png") for i in range(3)]
    assert main([str(trained_run), *paths, "--json", "--top", "10"]) == 0
    expected = load_run(trained_run).predict(digits.test_images[:3])
    for path, p, line in zip(paths, expected, capsys.readouterr().out.splitlines(), strict=True):
        answer = json.loads(line)
        assert answer["image"] == path
        found = {row["class"]: row["probability"] for row in answer["predictions"]}
        assert [found[str(i)] for i in range(10)] == pytest.approx(p.tolist(), abs=1e-6)
        assert list(found.values()) == sorted(found.values(), reverse=True)


def test_predict_shows_five_bars_per_image(trained_run, digits, tmp_path, capsys):
    path = image(digits, 0, tmp_path / "zero.png")
    assert main([str(trained_run), path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(str(trained_run / "best.safetensors"))
    assert lines[1] == "It knows only 0, 1, 2, 3, 4, 5, 6, 7, 8, 9: each answer is one of these."
    assert lines[2].startswith("It was right on ")
    assert lines[5] == path
    assert len(lines[6:]) == 5
    shares = [float(line.split()[1].rstrip("%")) for line in lines[6:]]
    for share, line in zip(shares, lines[6:], strict=True):
        assert line.count("█") == pytest.approx(predict.BAR * share / 100, abs=0.51)
    assert shares == sorted(shares, reverse=True)


def test_predict_turns_dark_writing_into_bright(trained_run, digits, tmp_path, capsys):
    Image.fromarray(255 - digits.test_images[0, ..., 0]).save(tmp_path / "dark.png")
    image(digits, 0, tmp_path / "bright.png")
    main([str(trained_run), str(tmp_path / "dark.png"), "--invert", "--json"])
    main([str(trained_run), str(tmp_path / "bright.png"), "--json"])
    dark, bright = (json.loads(line)["predictions"] for line in capsys.readouterr().out.splitlines())
    assert dark == bright


def best_class(trained, image):
    """The most probable class of one image, (8, 8, 1)."""
    return trained.class_names[trained.predict(image[None])[0].argmax()]


@pytest.mark.parametrize("invert", [False, True])
def test_predict_notices_dark_writing_and_offers_it_inverted(invert, trained_run, digits, tmp_path, capsys):
    digit = digits.test_images[3]
    Image.fromarray((digit if invert else 255 - digit)[..., 0]).save(tmp_path / "a.png")
    options = [str(trained_run), str(tmp_path / "a.png"), *["--invert"] * invert]
    trained = load_run(trained_run)
    answers = best_class(trained, 255 - digit), best_class(trained, digit)
    assert main(options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[6].split()[0] == answers[0]                           # the answer is that of the image as it is
    assert lines[-1].startswith("  It is dark on light, the training images were light on dark: "
                                f"{'without' if invert else 'with'} --invert the answer is {answers[1]} (")
    assert main([*options, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["predictions"][0]["class"], said["predictions_if_inverted"][0]["class"]) == answers


def test_predict_says_nothing_of_writing_as_it_was_trained_on(trained_run, digits, tmp_path, capsys):
    path = image(digits, 3, tmp_path / "a.png")
    assert main([str(trained_run), path]) == 0
    assert "--invert" not in capsys.readouterr().out
    assert main([str(trained_run), path, "--json"]) == 0
    assert "predictions_if_inverted" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("as_json", [True, False])
def test_predict_reports_and_skips_what_it_cannot_read(as_json, trained_run, digits, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("hello")
    good = [image(digits, i, tmp_path / f"{i}.png") for i in range(2)]
    paths = [good[0], str(tmp_path / "notes.txt"), str(tmp_path / "none.png"), good[1]]
    assert main([str(trained_run), *paths, *(["--json"] if as_json else [])]) == 3
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in err.splitlines()] == ["minimixer predict"] * 2
    assert "notes.txt is not an image" in err
    assert "there is no file" in err
    if as_json:
        answers = [json.loads(line) for line in out.splitlines()]
        assert [answer["image"] for answer in answers] == paths
        assert ["error" in answer for answer in answers] == [False, True, True, False]
    else:
        assert [path for path in paths if path in out.splitlines()] == good


def test_predict_by_the_hundred(trained_run, digits, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(predict, "AT_ONCE", 4)
    paths = [image(digits, i, tmp_path / f"{i}.png") for i in range(10)]
    assert main([str(trained_run), *paths, paths[0], "--json"]) == 0
    assert [json.loads(line)["image"] for line in capsys.readouterr().out.splitlines()] == [*paths, paths[0]]


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "no image is named"), (["x.png", "--top", "0"], "--top is 0: expected a whole number from 1"),
    (["x.png", "--workers", "0"], "--workers is 0: expected a whole number from 1")])
def test_predict_used_wrongly(arguments, message, trained_run, capsys):
    assert main([str(trained_run), *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_predict_without_a_run_takes_the_model_that_comes_with_minimixer(tmp_path, capsys, rng):
    pixels = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    paths = [str(tmp_path / "one.png"), str(tmp_path / "two.png")]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    assert main([*paths, "--json", "--top", "10"]) == 0
    trained = load_run("cifar10-micro")
    for path, p, line in zip(paths, trained.predict(pixels), capsys.readouterr().out.splitlines(), strict=True):
        answer = json.loads(line)
        assert answer["image"] == path
        found = {row["class"]: row["probability"] for row in answer["predictions"]}
        assert [found[name] for name in trained.class_names] == pytest.approx(p.tolist(), abs=1e-6)
    assert main(["cifar10-micro", *paths]) == 0
    named = capsys.readouterr().out
    assert main(paths) == 0
    assert capsys.readouterr().out == named
    assert named.startswith("cifar10-micro, step ")


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (["none.png"], 3, "there is no file none.png"), (["none.JPG", "none.gif"], 3, "there is no file none.gif"),
    (["notes.txt"], 3, "notes.txt is not an image"),
    (["runs/none", "x.png"], 1, "there is no run runs/none: expected a run folder"),
    ([".", "x.png"], 1, ". is not a run folder"),
    (["none.safetensors", "x.png"], 1, "there is no run none.safetensors"),
    (["none.md"], 2, "there is no file none.md"),
    (["runs/none"], 2, "no image is named: expected minimixer predict IMAGE..., or RUN IMAGE..."),
    (["."], 2, "no image is named"), (["cifar10-micro"], 2, "no image is named"), ([], 2, "no image is named")])
def test_predict_tells_an_image_from_a_run(arguments, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    assert main(arguments) == code
    assert message in capsys.readouterr().err


def test_a_pattern_that_the_shell_left_as_it_is_names_its_files(tmp_path):
    for name in ("b.png", "a.png", "c.txt", "odd[1].png"):
        (tmp_path / name).write_text("")
    assert expanded(tmp_path / "[ab].png") == [tmp_path / "a.png", tmp_path / "b.png"]
    assert expanded(tmp_path / "odd[1].png") == [tmp_path / "odd[1].png"]
    assert expanded(tmp_path / "x*.png") == [tmp_path / "x*.png"]
