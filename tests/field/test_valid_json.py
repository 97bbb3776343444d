"""JSON has no NaN and no Infinity: whatever minimixer writes, any reader takes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import minimixer
from minimixer import nn
from minimixer.cli import main
from minimixer.data import load_digits
from minimixer.files import json_text
from minimixer.train import PRESETS, checkpoint, fit, resume
from minimixer.weights import save_official


def strict(text):
    def no(token):
        raise AssertionError(f"{token} is no JSON")
    return json.loads(text, parse_constant=no)


def test_what_is_not_finite_becomes_null():
    nan, inf = float("nan"), float("inf")
    assert strict(json_text({"a": [1.5, nan, (inf, {"b": -inf})], "c": "NaN", "d": np.float64(nan)})) == {
        "a": [1.5, None, [None, {"b": None}]], "c": "NaN", "d": None}
    assert json_text({"a": 1, "p": Path("x")}, indent=1, default=str) == '{\n "a": 1,\n "p": "x"\n}'


def test_metrics_and_configurations(tmp_path):
    resume.append_metrics(tmp_path, {"step": 1, "loss": float("inf"), "test_loss": float("nan")})
    assert strict((tmp_path / "metrics.jsonl").read_text()) == {"step": 1, "loss": None, "test_loss": None}


def test_a_model_that_answers_nan_is_evaluated_in_valid_json(tmp_path, capsys):
    run = fit(replace(PRESETS["digits"], max_steps=2, workers=1, out=tmp_path / "run")).out
    arrays, said = checkpoint.read(run / "best.safetensors")
    arrays["model.head.bias"] = np.full_like(arrays["model.head.bias"], np.nan)
    checkpoint.write(run / "best.safetensors", arrays, said)
    from PIL import Image
    Image.fromarray(load_digits().test_images[0, :, :, 0]).save(tmp_path / "digit.png")
    capsys.readouterr()
    assert main(["eval", str(run), "--json"]) == 0
    assert strict(capsys.readouterr().out)["loss"] is None
    assert main(["predict", str(run), str(tmp_path / "digit.png"), "--json"]) == 0
    assert strict(capsys.readouterr().out)["predictions"][0]["probability"] is None


@pytest.mark.parametrize("option", ["--mean", "--std"])
def test_an_import_whose_scale_is_no_number_is_refused(option, tmp_path, capsys):
    save_official(nn.mixer("pico"), tmp_path / "a.npz")
    for number in ("nan", "inf"):
        assert main(["import", str(tmp_path / "a.npz"), "--out", str(tmp_path / "run"), option, number]) == 2
        assert f"{option} is {number}" in capsys.readouterr().err


def test_no_other_place_writes_json():
    package = Path(minimixer.__file__).parent
    places = {path.relative_to(package).as_posix() for path in package.rglob("*.py")
              if "json.dump" in path.read_text("utf-8")}
    # What our own processes say to each other, the journal of a class that is being graded, headers of files of arrays,
    # names and numbers of processes, what digests are of.
    assert places <= {"files.py", "exercises/grading.py", "exercises/wire.py", "train/checkpoint.py",
                      "weights/files.py", "train/lock.py", "train/origin.py"}
