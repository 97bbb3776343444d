"""``minimixer ship``: float16 weights, what was measured with them, and the card."""

import json
from dataclasses import replace

import numpy as np
import pytest

from minimixer.commands.ship import command_of, halve
from minimixer.data import load_digits
from minimixer.nn import mixer
from minimixer.train import PRESETS, checkpoint, fit, load_run
from minimixer.weights import WeightsError
from tests.support.commands import ship as main


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fit(replace(PRESETS["digits"], max_steps=40, workers=1, out=tmp_path_factory.mktemp("runs") / "run")).out


def shipped(run, folder, *options):
    assert main([str(run), "--out", str(folder), *options]) == 0
    return {path.suffix: path for path in folder.iterdir()}


def test_what_is_measured_are_the_weights_in_the_file(run, tmp_path, capsys):
    files = shipped(run, tmp_path / "a", "--title", "digits of a test")
    assert {path.name for path in files.values()} == {f"digits-pico.{end}" for end in ("safetensors", "json", "md")}
    facts = json.loads(files[".json"].read_text())
    trained, digits = load_run(files[".safetensors"]), load_digits()
    answers = trained.predict(digits.test_images).argmax(1)
    assert facts["accuracy"] == (answers == digits.test_labels).mean() > 0.3
    assert np.array(facts["confusion"]).trace() == facts["correct"]
    assert facts["bytes"] == files[".safetensors"].stat().st_size
    for name, array in load_run(run).model.state_dict().items():
        assert np.array_equal(trained.model.state_dict()[name], array.astype(np.float16).astype(np.float32))
    assert f"accuracy {facts['accuracy']:.2%}" in capsys.readouterr().out
    text = files[".md"].read_text()
    assert "trained from scratch on digits of a test" in text
    assert "minimixer train digits --max-steps 40" in text
    assert "40 steps" in text
    assert "{" not in text


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    first, second = shipped(run, tmp_path / "a"), shipped(run, tmp_path / "b")
    for suffix in first:
        assert first[suffix].read_bytes() == second[suffix].read_bytes()


def test_the_command_is_the_shortest():
    assert command_of(PRESETS["cifar10-micro"]) == "minimixer train cifar10-micro"
    config = replace(PRESETS["digits"], lr=0.5, workers=1, out="x")
    assert command_of(config) == "minimixer train digits --lr 0.5"
    assert command_of(replace(PRESETS["cifar10"], flip=False)) == "minimixer train cifar10 --no-flip"


def test_what_cannot_be_shipped(run, tmp_path, capsys):
    (tmp_path / "best.safetensors").write_bytes((run / "best.safetensors").read_bytes())
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "holds no run that was trained here" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    vit = fit(replace(PRESETS["digits"], model="vit-pico", max_steps=2, workers=1, out=tmp_path / "vit")).out
    assert main([str(vit), "--out", str(tmp_path / "out")]) == 2
    assert "holds a VisionTransformer: only Mixers come with the package" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    model = mixer("pico")
    model.head.bias.data[3] = 1e6
    with pytest.raises(WeightsError, match=r"head\.bias holds 1e\+06, too large for float16"):
        halve(model)
    assert main(["nowhere"]) == 1
    assert checkpoint.read(run / "best.safetensors")            # the run is as it was
