"""``minimixer eval``: what a run measured, class by class, on its data set or another."""

import json
import re
import shutil

import numpy as np
import pytest

from minimixer.data import load_digits
from minimixer.data.sources.cifar import CIFAR10
from minimixer.train import load_run
from minimixer.train.evaluate import evaluate
from tests.support.cifar_files import official, unpack
from tests.support.commands import evaluate as main


def test_eval_says_what_the_run_measured(trained_run, capsys):
    assert main([str(trained_run), "--json", "--workers", "1"]) == 0
    result = json.loads(capsys.readouterr().out)
    metrics = [json.loads(line) for line in (trained_run / "metrics.jsonl").read_text().splitlines()]
    best = next(m for m in metrics if m["step"] == result["step"] and "test_loss" in m)
    assert (result["loss"], result["accuracy"]) == (best["test_loss"], best["test_accuracy"])
    assert result["images"] == sum(c["images"] for c in result["classes"]) == 360
    assert result["correct"] == sum(c["correct"] for c in result["classes"])


def test_eval_counts_every_class(trained_run, capsys):
    digits = load_digits()
    answers = load_run(trained_run).predict(digits.test_images).argmax(1)
    result = evaluate(load_run(trained_run), digits)
    for number, row in enumerate(result["classes"]):
        of_class = answers[digits.test_labels == number]
        wrong = of_class[of_class != number]
        assert row["images"] == len(of_class)
        assert row["accuracy"] == (of_class == number).mean()
        assert row["times"] == (np.bincount(wrong).max() if len(wrong) else 0)
    assert main([str(trained_run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("on 360 test images of digits")
    assert lines[3].split() == ["class", "images", "correct", "accuracy", "most", "often", "taken", "for"]
    assert len(lines) == 14
    assert all(line == line.rstrip() and "\x1b" not in line for line in lines)


@pytest.mark.parametrize(("prepare", "arguments", "message"), [
    (lambda folder: (folder / "config.json").unlink(), [], "no config.json beside .*: name the data set with --data"),
    (lambda folder: (folder / "config.json").write_text("{"), [], "config.json cannot be read .*--data"),
    (lambda folder: (folder / "config.json").write_text('{"config": {"data": "cifar1"}}'), [],
     "names an unknown data set 'cifar1'; did you mean 'cifar10'"),
])
def test_eval_of_a_folder_without_its_data_set(prepare, arguments, message, trained_run, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    prepare(folder)
    assert main([str(folder), *arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert error.count("\n") == 1


def test_eval_on_another_data_set_is_refused(trained_run, tmp_path, capsys):
    unpack(tmp_path, official(CIFAR10))
    assert main([str(trained_run), "--data", "cifar10", "--data-dir", str(tmp_path)]) == 2
    assert "the model takes images of shape (8, 8, 1) in 10 classes" in capsys.readouterr().err
    assert main([str(trained_run), "--data", "cifar10", "--data-dir", str(tmp_path / "no")]) == 3


def test_eval_of_a_bare_file_is_told_its_data_set(trained_run, tmp_path, capsys):
    shutil.copy(trained_run / "last.safetensors", tmp_path)
    assert main([str(tmp_path / "last.safetensors"), "--data", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 66


def test_eval_knows_the_model_that_comes_with_minimixer(tmp_path, capsys):
    unpack(tmp_path, official(CIFAR10))
    assert main(["cifar10-micro", "--data-dir", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["data"] == "cifar10"
    confusion = np.array(result["confusion"])
    assert confusion.trace() == result["correct"]
    assert confusion.sum(1).tolist() == [row["images"] for row in result["classes"]]
