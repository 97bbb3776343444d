"""The commands eval, predict and inspect."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from minimixer.data import load_digits
from minimixer.train import evaluate, inspect, load_run, predict
from minimixer.train.predict import expanded


@pytest.fixture
def digits():
    return load_digits()


def picture(digits, i, path):
    Image.fromarray(digits.test_images[i, ..., 0]).save(path)
    return str(path)


def test_eval_says_what_the_run_measured(trained_run, capsys):
    assert evaluate.main([str(trained_run), "--json", "--workers", "1"]) == 0
    result = json.loads(capsys.readouterr().out)
    metrics = [json.loads(line) for line in (trained_run / "metrics.jsonl").read_text().splitlines()]
    best = next(m for m in metrics if m["step"] == result["step"] and "test_loss" in m)
    assert (result["loss"], result["accuracy"]) == (best["test_loss"], best["test_accuracy"])
    assert result["pictures"] == sum(c["pictures"] for c in result["classes"]) == 360
    assert result["correct"] == sum(c["correct"] for c in result["classes"])


def test_eval_counts_every_class(trained_run, digits, capsys):
    answers = load_run(trained_run).predict(digits.test_images).argmax(1)
    result = evaluate.evaluate(load_run(trained_run), digits)
    for number, row in enumerate(result["classes"]):
        of_class = answers[digits.test_labels == number]
        wrong = of_class[of_class != number]
        assert row["pictures"] == len(of_class)
        assert row["accuracy"] == (of_class == number).mean()
        assert row["times"] == (np.bincount(wrong).max() if len(wrong) else 0)
    assert evaluate.main([str(trained_run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("on 360 test pictures of digits")
    assert lines[3].split() == ["class", "pictures", "correct", "accuracy", "most", "often", "taken", "for"]
    assert len(lines) == 14
    assert all(line == line.rstrip() and "\x1b" not in line for line in lines)


@pytest.mark.parametrize(("prepare", "arguments", "message"), [
    (lambda folder: (folder / "config.json").unlink(), [], "no config.json beside .*: name the data set with --data"),
    (lambda folder: (folder / "config.json").write_text("{"), [], "config.json cannot be read .*--data"),
    (lambda folder: (folder / "config.json").write_text('{"config": {"data": "cifar1"}}'), [],
     "names a data set 'cifar1' that is not known; did you mean 'cifar10'"),
])
def test_eval_of_a_folder_without_its_data_set(prepare, arguments, message, trained_run, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    prepare(folder)
    assert evaluate.main([str(folder), *arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert error.count("\n") == 1


def test_eval_on_another_data_set_is_refused(trained_run, tmp_path, capsys):
    from minimixer.data.sources.cifar import CIFAR10
    from tests.support.cifar_files import official, unpack
    unpack(tmp_path, official(CIFAR10))
    assert evaluate.main([str(trained_run), "--data", "cifar10", "--data-dir", str(tmp_path)]) == 2
    assert "the model takes pictures of shape (8, 8, 1) in 10 classes" in capsys.readouterr().err
    assert evaluate.main([str(trained_run), "--data", "cifar10", "--data-dir", str(tmp_path / "no")]) == 3


def test_eval_of_a_bare_file_is_told_its_data_set(trained_run, tmp_path, capsys):
    shutil.copy(trained_run / "last.safetensors", tmp_path)
    assert evaluate.main([str(tmp_path / "last.safetensors"), "--data", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 66


def test_predict_gives_the_probabilities_of_the_model(trained_run, digits, tmp_path, capsys):
    paths = [picture(digits, i, tmp_path / f"{i}.png") for i in range(3)]
    assert predict.main([str(trained_run), *paths, "--json", "--top", "10"]) == 0
    expected = load_run(trained_run).predict(digits.test_images[:3])
    for path, p, line in zip(paths, expected, capsys.readouterr().out.splitlines(), strict=True):
        answer = json.loads(line)
        assert answer["image"] == path
        found = {row["class"]: row["probability"] for row in answer["predictions"]}
        assert [found[str(i)] for i in range(10)] == pytest.approx(p.tolist(), abs=1e-6)
        assert list(found.values()) == sorted(found.values(), reverse=True)


def test_predict_shows_five_bars_a_picture(trained_run, digits, tmp_path, capsys):
    path = picture(digits, 0, tmp_path / "zero.png")
    assert predict.main([str(trained_run), path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(str(trained_run / "best.safetensors"))
    assert lines[2] == path
    assert len(lines[3:]) == 5
    shares = [float(line.split()[1].rstrip("%")) for line in lines[3:]]
    for share, line in zip(shares, lines[3:], strict=True):
        assert line.count("█") == pytest.approx(predict.BAR * share / 100, abs=0.51)
    assert shares == sorted(shares, reverse=True)


def test_predict_turns_dark_writing_into_bright(trained_run, digits, tmp_path, capsys):
    Image.fromarray(255 - digits.test_images[0, ..., 0]).save(tmp_path / "dark.png")
    picture(digits, 0, tmp_path / "bright.png")
    predict.main([str(trained_run), str(tmp_path / "dark.png"), "--invert", "--json"])
    predict.main([str(trained_run), str(tmp_path / "bright.png"), "--json"])
    dark, bright = (json.loads(line)["predictions"] for line in capsys.readouterr().out.splitlines())
    assert dark == bright


@pytest.mark.parametrize("as_json", [True, False])
def test_predict_passes_over_what_it_cannot_read_and_says_so(as_json, trained_run, digits, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("hello")
    good = [picture(digits, i, tmp_path / f"{i}.png") for i in range(2)]
    paths = [good[0], str(tmp_path / "notes.txt"), str(tmp_path / "none.png"), good[1]]
    assert predict.main([str(trained_run), *paths, *(["--json"] if as_json else [])]) == 3
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
    paths = [picture(digits, i, tmp_path / f"{i}.png") for i in range(10)]
    assert predict.main([str(trained_run), *paths, paths[0], "--json"]) == 0
    assert [json.loads(line)["image"] for line in capsys.readouterr().out.splitlines()] == [*paths, paths[0]]


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "no picture is named"), (["x.png", "--top", "0"], "--top is 0: expected a whole number from 1"),
    (["x.png", "--workers", "0"], "--workers is 0: expected a whole number from 1")])
def test_predict_used_wrongly(arguments, message, trained_run, capsys):
    assert predict.main([str(trained_run), *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_predict_without_a_run_takes_the_model_that_comes_with_minimixer(tmp_path, capsys, rng):
    pixels = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    paths = [str(tmp_path / "one.png"), str(tmp_path / "two.png")]
    for path, picture in zip(paths, pixels, strict=True):
        Image.fromarray(picture).save(path)
    assert predict.main([*paths, "--json", "--top", "10"]) == 0
    trained = load_run("cifar10-micro")
    for path, p, line in zip(paths, trained.predict(pixels), capsys.readouterr().out.splitlines(), strict=True):
        answer = json.loads(line)
        assert answer["image"] == path
        found = {row["class"]: row["probability"] for row in answer["predictions"]}
        assert [found[name] for name in trained.class_names] == pytest.approx(p.tolist(), abs=1e-6)
    assert predict.main(["cifar10-micro", *paths]) == 0
    named = capsys.readouterr().out
    assert predict.main(paths) == 0
    assert capsys.readouterr().out == named
    assert named.startswith("cifar10-micro, step ")


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (["none.png"], 3, "there is no file none.png"), (["none.JPG", "none.gif"], 3, "there is no file none.gif"),
    (["notes.txt"], 3, "notes.txt is not an image"),
    (["runs/none", "x.png"], 1, "there is no run runs/none: expected a run folder"),
    ([".", "x.png"], 1, ". is not a run folder"),
    (["none.safetensors", "x.png"], 1, "there is no run none.safetensors"),
    (["none.md"], 2, "there is no file none.md"),
    (["runs/none"], 2, "no picture is named: expected minimixer predict IMAGE..., or RUN IMAGE..."),
    (["."], 2, "no picture is named"), (["cifar10-micro"], 2, "no picture is named"), ([], 2, "no picture is named")])
def test_predict_tells_a_picture_from_a_run(arguments, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    assert predict.main(arguments) == code
    assert message in capsys.readouterr().err


def test_eval_and_inspect_know_the_model_that_comes_with_minimixer(tmp_path, capsys):
    from minimixer.data.sources.cifar import CIFAR10
    from tests.support.cifar_files import official, unpack
    unpack(tmp_path, official(CIFAR10))
    assert evaluate.main(["cifar10-micro", "--data-dir", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["data"] == "cifar10"
    confusion = np.array(result["confusion"])
    assert confusion.trace() == result["correct"]
    assert confusion.sum(1).tolist() == [row["pictures"] for row in result["classes"]]
    assert inspect.main(["cifar10-micro"]) == 0
    assert "1,132,170 parameters" in capsys.readouterr().out
    assert inspect.main(["cifar10-mirco"]) == 2
    assert "did you mean 'cifar10-micro'?" in capsys.readouterr().err


def test_inspect_a_size_and_a_run(trained_run, capsys):
    assert inspect.main(["micro"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "micro: 1,132,170 parameters, 75.9 M multiply-adds a picture"
    assert max(map(len, lines)) <= 80
    assert inspect.main([str(trained_run)]) == 0
    assert "72,714 parameters" in capsys.readouterr().out


def test_inspect_as_json_adds_up(trained_run, capsys):
    assert inspect.main(["B/32", "--image-size", "64", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["config"]["image_size"] == 64
    for what in ("parameters", "macs", "kept_bytes"):
        assert sum(step[what] for step in result["steps"]) == result[what]
    names = [step["name"] for step in result["steps"]]
    assert names[:3] == ["patches", "stem", "blocks.0.token_norm"]
    assert names.count("blocks.11.swapaxes") == 2
    assert names[-1] == "head"


@pytest.mark.parametrize(("arguments", "message"), [
    (["mirco"], "there is no size and no run 'mirco'; did you mean 'micro'?"),
    (["B/16", "--image-size", "250"], "image_size to a multiple of 16"),
    (["B/16", "--image-size", "0"], "image_size is 0, expected a positive number"),
    (["RUN", "--image-size", "16"], "weights for one number of patches only"),
])
def test_inspect_used_wrongly(arguments, message, trained_run, capsys):
    assert inspect.main([a.replace("RUN", str(trained_run)) for a in arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_pattern_that_the_shell_left_as_it_is_names_its_files(tmp_path):
    for name in ("b.png", "a.png", "c.txt", "odd[1].png"):
        (tmp_path / name).write_text("")
    assert expanded(tmp_path / "[ab].png") == [tmp_path / "a.png", tmp_path / "b.png"]
    assert expanded(tmp_path / "odd[1].png") == [tmp_path / "odd[1].png"]
    assert expanded(tmp_path / "x*.png") == [tmp_path / "x*.png"]
