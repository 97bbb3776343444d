"""The trained models that come with the package."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import minimixer as mm
from minimixer import nn
from minimixer.commands.card import card
from minimixer.nn import pretrained
from minimixer.train import load_run
from tests.support.commands import evaluate

ROOT = Path(__file__).parents[2]
NAME = "cifar10-micro"
FILE = nn.list_pretrained()[NAME]
FACTS = json.loads(FILE.with_suffix(".json").read_text())


def test_the_files_are_small_and_complete():
    assert list(nn.list_pretrained()) == [NAME]
    assert FILE.stat().st_size == FACTS["bytes"] < 3_000_000
    with safe_open(FILE, "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}          # noqa: SIM118
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
    assert sum(array.size for array in arrays.values()) == FACTS["parameters"] == 1_132_170
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_the_card_says_what_the_json_says():
    assert FILE.with_suffix(".md").read_text() == card(FACTS)
    assert f"**{FACTS['accuracy']:.2%}**" in card(FACTS)
    confusion = np.array(FACTS["confusion"])
    assert confusion.sum() == FACTS["images"] == 10_000
    assert confusion.trace() == FACTS["correct"] == round(FACTS["accuracy"] * FACTS["images"])
    assert [row["correct"] for row in FACTS["classes"]] == confusion.diagonal().tolist()
    assert load_run(NAME).class_names == tuple(row["class"] for row in FACTS["classes"])


def test_every_way_to_load_it_gives_the_same_logits(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    trained = load_run(NAME)
    logits = trained.logits(image)
    assert np.isfinite(logits).all()
    assert np.ptp(logits) > 0.1                                                 # it is no new head of zeros
    assert {p.data.dtype for p in trained.model.parameters()} == {np.dtype(np.float32)}
    shutil.copy(FILE, tmp_path / "best.safetensors")
    for path in (FILE, str(FILE), tmp_path):
        assert np.array_equal(load_run(path).logits(image), logits)
    model = mm.nn.mixer("micro", pretrained="cifar10")
    normalized = ((image / 255 - trained.mean) / trained.std).astype(np.float32)
    assert np.allclose(model(mm.Tensor(normalized)).data, logits, atol=1e-4)
    for name, array in trained.model.state_dict().items():
        assert np.array_equal(model.state_dict()[name], array)


def test_what_is_not_there_gets_a_sentence(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=rf"no weights of 'nano' pretrained on 'cifar10': minimixer comes with {NAME}"):
        nn.mixer("nano", pretrained="cifar10")
    with pytest.raises(ValueError, match="no weights of 'micro' pretrained on 'imagenet'"):
        nn.mixer("micro", pretrained="imagenet")
    with pytest.raises(ValueError, match=rf"for num_classes 10, not 100: fine-tune them, .*--init-from {NAME}"):
        nn.mixer("micro", pretrained="cifar10", num_classes=100)
    assert nn.mixer("micro", pretrained="cifar10", num_classes=10, dropout=0.1).config.dropout == 0.1
    (tmp_path / f"{NAME}.safetensors").write_bytes(FILE.read_bytes()[:-1])
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"is damaged .*: reinstall minimixer"):
        nn.mixer("micro", pretrained="cifar10")


def test_a_folder_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_run(NAME).path == FILE
    Path(NAME).mkdir()
    with pytest.raises(mm.train.checkpoint.CheckpointError, match="is not a run folder"):
        load_run(NAME)


def test_the_wheel_takes_the_files(tmp_path):
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["minimixer"]
    assert not wheel.keys() & {"include", "exclude", "only-include"}
    files = [FILE.with_suffix(suffix) for suffix in (".safetensors", ".json", ".md")]
    if (ROOT / ".git").exists():                                # hatch leaves out what git ignores
        assert subprocess.run(["git", "check-ignore", *files], cwd=ROOT, capture_output=True).returncode == 1
    assert {path.parent for path in files} == {Path(mm.__file__).parent / "pretrained"}


@pytest.mark.slow
def test_a_wheel_that_is_built_holds_them(tmp_path):
    pytest.importorskip("hatchling", reason="needs hatchling to build a wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert {f"minimixer/pretrained/{NAME}{suffix}" for suffix in (".safetensors", ".json", ".md")} <= set(names)
    assert {f"minimixer/data/sources/digits{suffix}" for suffix in (".npz", ".md")} <= set(names)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.skipif("MINIMIXER_DATA" not in os.environ, reason="MINIMIXER_DATA does not name the folder of CIFAR-10")
def test_eval_gives_the_accuracy_of_the_card(capsys):
    assert evaluate([NAME, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["data"] == "cifar10"
    assert abs(result["accuracy"] - FACTS["accuracy"]) <= 0.001
    assert abs(np.array(result["confusion"]) - FACTS["confusion"]).sum() <= 40
