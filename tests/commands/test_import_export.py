"""``minimixer import`` and ``minimixer export``, as they are typed."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn
from minimixer.cli import main
from minimixer.train import PRESETS, checkpoint, fit
from minimixer.train.trained import load_run
from minimixer.weights import model_from, save_official, save_timm
from tests.support.mixers import SMALL, official_arrays, randomized, write_npz


@pytest.fixture
def npz(tmp_path, rng):
    return write_npz(tmp_path / "a.npz", official_arrays(SMALL, rng))


def model_of(run):
    """The model of a run folder, and what its checkpoint says of itself."""
    trained = load_run(run)
    return trained.model, trained.metadata


def test_an_import_makes_a_run_folder_and_prints_the_table(npz, tmp_path, rng, capsys):
    out = tmp_path / "runs" / "imported"
    assert main(["import", str(npz), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "MixerBlock_{0..2}/token_mixing/Dense_0/kernel" in printed
    assert "42 arrays mapped, 0 missing, 0 unused" in printed
    assert f"{randomized(SMALL, rng).num_parameters():,} parameters, images of 12 x 12 pixels, 4 classes" in printed
    assert sorted(p.name for p in out.iterdir()) == ["best.safetensors", "config.json"]

    model, metadata = model_of(out)
    assert model.config == SMALL
    assert metadata["class_names"] == ["0", "1", "2", "3"]
    assert metadata["mean"] == metadata["std"] == [0.5, 0.5, 0.5]
    assert metadata["step"] == 0
    expected, _ = model_from(npz)
    images = mm.Tensor(rng.standard_normal((2, 12, 12, 3)).astype(np.float32))
    assert (model(images).data == expected(images).data).all()
    config = json.loads((out / "config.json").read_text())
    assert config["model"] == asdict(SMALL)
    assert config["import"]["layout"] == "official"


@pytest.mark.parametrize(("layout", "name"), [("official", "a.npz"), ("timm", "a.safetensors")])
def test_import_and_export_give_the_file_back_to_the_byte(layout, name, tmp_path, rng, capsys):
    {"official": save_official, "timm": save_timm}[layout](randomized(SMALL, rng), tmp_path / name)
    assert main(["import", str(tmp_path / name), "--out", str(tmp_path / "run")]) == 0
    back = tmp_path / "folder" / name
    assert main(["export", str(tmp_path / "run"), "--format", layout, "--out", str(back)]) == 0
    assert back.read_bytes() == (tmp_path / name).read_bytes()
    assert "arrays mapped" in capsys.readouterr().out


def test_a_run_that_was_trained_here_goes_out_and_comes_in(tmp_path):
    run = fit(replace(PRESETS["digits"], max_steps=2, workers=1, out=tmp_path / "run")).out
    trained, _ = model_of(run)
    for layout, name in (("official", "a.npz"), ("timm", "a.safetensors")):
        assert main(["export", str(run), "--format", layout, "--out", str(tmp_path / name)]) == 0
        assert main(["import", str(tmp_path / name), "--out", str(tmp_path / layout)]) == 0
        model, _ = model_of(tmp_path / layout)
        assert model.config.in_channels == 1
        for ours, theirs in zip(trained.state_dict().values(), model.state_dict().values(), strict=True):
            assert (ours == theirs).all()


def test_new_classes_larger_images_other_scaling_and_names(npz, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("goldfish\nrock crab \nfähre\n\n", "utf-8")
    out = tmp_path / "run"
    assert main(["import", str(npz), "--out", str(out), "--num-classes", "3", "--image-size", "24", "--labels",
                 str(labels), "--mean", "0", "--std", "1"]) == 0
    model, metadata = model_of(out)
    assert (model.config.num_classes, model.config.image_size, model.config.tokens_mlp_dim) == (3, 24, 20)
    assert not model.head.weight.data.any()
    assert metadata["class_names"] == ["goldfish", "rock crab", "fähre"]
    assert (metadata["mean"], metadata["std"]) == ([0, 0, 0], [1, 1, 1])


@pytest.mark.parametrize(("options", "code", "words"), [
    (["--num-classes", "0"], 2, "--num-classes is 0: expected a whole number from 1"),
    (["--std", "0"], 2, "--std is 0.0: expected a number above 0"),
    (["--image-size", "13"], 1, "choose an image_size of 12, 24, 36"),
    (["--labels", "nowhere.txt"], 2, "there is no file nowhere.txt"),
    (["--labels", "three.txt"], 2, "three.txt names 3 classes, the model has 4"),
    (["--labels", "latin.txt"], 2, "latin.txt is not UTF-8 text"),
])
def test_what_cannot_be_imported_leaves_no_folder(options, code, words, npz, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    (tmp_path / "latin.txt").write_bytes(b"f\xe4hre\n")
    assert main(["import", str(npz), "--out", "run", *options]) == code
    error = " ".join(capsys.readouterr().err.split())           # tyro breaks lines where the terminal ends
    assert words in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_an_import_never_writes_into_another_run(npz, tmp_path, capsys):
    assert main(["import", str(npz), "--out", str(tmp_path / "run")]) == 0
    before = (tmp_path / "run" / "best.safetensors").read_bytes()
    assert main(["import", str(npz), "--out", str(tmp_path / "run"), "--num-classes", "2"]) == 1
    assert "name another one with --out" in capsys.readouterr().err
    assert (tmp_path / "run" / "best.safetensors").read_bytes() == before
    assert main(["import", str(npz), "--out", str(npz)]) == 1


def test_what_cannot_be_exported(npz, tmp_path, capsys):
    out = ["--format", "timm", "--out", str(tmp_path / "b.safetensors")]
    assert main(["export", str(tmp_path), *out]) == 1
    assert "is not a run folder" in capsys.readouterr().err
    assert main(["export", str(npz), *out]) == 1
    assert "is not a whole minimixer checkpoint" in capsys.readouterr().err
    checkpoint.save(tmp_path / "best.safetensors", nn.MlpMixer(SMALL), None, {"model": {"kind": "another"}})
    assert main(["export", str(tmp_path), *out]) == 1
    assert "does not describe its own model" in capsys.readouterr().err
    assert main(["import", str(npz), "--out", str(tmp_path / "run")]) == 0
    assert main(["export", str(tmp_path / "run"), "--format", "timm", "--out", str(tmp_path)]) == 1
    assert "is a folder" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "run"), "--format", "keras", "--out", "x"]) == 2
