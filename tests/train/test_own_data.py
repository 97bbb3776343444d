"""``fit(config, dataset=...)``, and data named by a path: recognized again, or refused with the reason."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer.data import DataError
from minimixer.errors import UsageError
from minimixer.train import PRESETS, Callback, TrainConfig, fit
from minimixer.train.checkpoint import CheckpointError
from minimixer.train.initialize import usual_patch
from tests.support.commands import evaluate as evaluate_command
from tests.support.commands import train as train_command

pytestmark = pytest.mark.usefixtures("no_pictures")
QUICK = replace(PRESETS["digits"], max_steps=6, batch_size=8, workers=1, patch_size=None)


class Quiet(Callback):
    pass


@pytest.fixture
def arrays(rng):
    """Images (48, 16, 16, 3) of three classes that differ in brightness, and their labels (48,)."""
    labels = np.arange(48) % 3
    images = rng.integers(0, 60, (48, 16, 16, 3)) + 80 * labels[:, None, None, None]
    return images.astype(np.uint8), labels


@pytest.fixture
def dataset(arrays):
    return mm.data.from_arrays(*arrays, class_names=["dark", "gray|*", "bright"], name="mine", validation=0.2)


@pytest.fixture
def npz(arrays, tmp_path):
    """The same arrays as a file."""
    images, labels = arrays
    np.savez(tmp_path / "mine.npz", x_train=images[:36], y_train=labels[:36], x_test=images[36:], y_test=labels[36:])
    return tmp_path / "mine.npz"


def test_arrays_are_trained_on_and_their_names_are_everywhere(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    history = fit(QUICK, reporter=Quiet(), dataset=dataset)
    assert history.out.name == "mine-pico-001"
    assert mm.train.load_run(history.out).class_names == ("dark", "gray|*", "bright")
    report = (history.out / "report.md").read_text()
    assert "# pico on mine" in report
    assert "gray|*" not in report
    told = json.loads((history.out / "config.json").read_text())["dataset"]
    assert told == {"name": "mine", "source": None, "given": True, "digest": dataset.digest(),
                    "class_names": ["dark", "gray|*", "bright"]}


def test_a_run_on_arrays_goes_on_with_the_same_arrays_only(dataset, tmp_path, capsys):
    class Stop(Callback):
        def step(self, progress, loss, correct):
            if progress.step == 3:
                progress.receive(15)

    config = replace(QUICK, out=tmp_path / "a")
    whole = fit(replace(QUICK, out=tmp_path / "whole"), reporter=Quiet(), dataset=dataset)
    fit(config, [Stop()], Quiet(), dataset=dataset)
    resumed = replace(config, resume=True)
    with pytest.raises(UsageError, match=r"was trained on images given in Python \(mine\): go on there.*dataset="):
        fit(resumed, reporter=Quiet())
    assert train_command(["--resume", "--out", tmp_path / "a"]) == 2
    assert "go on there, and pass them again" in capsys.readouterr().err
    other = replace(dataset, train_images=dataset.train_images[::-1].copy())
    with pytest.raises(CheckpointError, match="other images or labels than those of images of your own"):
        fit(resumed, reporter=Quiet(), dataset=other)
    fit(resumed, reporter=Quiet(), dataset=dataset)
    for name in ("last.safetensors", "best.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (whole.out / name).read_bytes()
    assert evaluate_command([tmp_path / "a"]) == 2
    assert "was trained on images given in Python (mine): name their folder" in capsys.readouterr().err


def test_the_validation_images_choose_and_the_test_images_are_looked_at_once(dataset, tmp_path):
    looks = []

    class Watch(Callback):
        def metrics(self, progress, line):
            looks.append({key for key in line if "accuracy" in key})

        def epoch(self, progress, loss, accuracy):
            assert progress.part == "validation"
            assert accuracy == progress.history.metrics[-1]["validation_accuracy"]

    history = fit(replace(QUICK, max_steps=9, out=tmp_path / "run"), [Watch()], Quiet(), dataset=dataset)
    assert looks.count({"test_accuracy"}) == 1
    assert looks[-1] == {"test_accuracy"}
    best = max(line["validation_accuracy"] for line in history.metrics if "validation_accuracy" in line)
    assert history.best_accuracy == best
    tested = mm.train.evaluate(mm.train.load_run(history.out), dataset)
    assert history.metrics[-1]["test_accuracy"] == tested["accuracy"]
    report = (history.out / "report.md").read_text()
    assert f"| best validation accuracy | {best:.2%}" in report
    assert "looked at once, and chose nothing" in report
    (history.out / "report.md").unlink()
    again = fit(replace(QUICK, max_steps=9, out=tmp_path / "run", resume=True), reporter=Quiet(), dataset=dataset)
    assert again.metrics == history.metrics
    assert (history.out / "report.md").read_text() == report


@pytest.mark.parametrize(("wrong", "error", "message"), [
    ({"data": "cifar10"}, None, ""), ({"validation": 0.3}, UsageError, "--validation has no effect with dataset="),
    ({"download": True, "data": "cifar10"}, UsageError, "--download has no effect"),
    ({"classes": "a,b", "data": "x"}, UsageError, "--data has no effect with dataset=")])
def test_settings_without_effect_are_refused(wrong, error, message, dataset, tmp_path):
    config = replace(QUICK, out=tmp_path / "run", max_steps=1, **wrong)
    if error is None:           # a preset's data: the user did not choose it
        fit(config, reporter=Quiet(), dataset=dataset)
        return
    with pytest.raises(error, match=message):
        fit(config, reporter=Quiet(), dataset=dataset)


def test_what_is_no_data_set_is_refused(dataset, tmp_path):
    with pytest.raises(UsageError, match=r"dataset is a tuple: expected what mm.data.load"):
        fit(replace(QUICK, out=tmp_path / "run"), reporter=Quiet(), dataset=(1, 2))
    with pytest.raises(DataError, match="test_images of mine are of float64, expected uint8"):
        fit(replace(QUICK, out=tmp_path / "run"), reporter=Quiet(),
            dataset=replace(dataset, test_images=dataset.test_images / 255))
    assert not (tmp_path / "run").exists()


def test_images_of_one_color_do_not_divide_by_zero(arrays, tmp_path):
    images, labels = np.full((16, 8, 8, 3), 7, np.uint8), np.arange(16) % 2
    history = fit(replace(QUICK, out=tmp_path / "run"), reporter=Quiet(), dataset=mm.data.from_arrays(images, labels))
    assert np.isfinite(history.metrics[-1]["test_loss"])


def test_a_file_is_named_by_its_path_in_python_toml_and_commands_alike(npz, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = ["--max-steps", "3", "--batch-size", "8", "--workers", "1"]
    assert train_command(["digits", "--patch-size", "2", "--data", npz, "--out", "a", *flags]) == 0
    (tmp_path / "run.toml").write_text('preset = "digits"\npatch_size = 2\ndata = "mine.npz"\nmax_steps = 3\n'
                                       'batch_size = 8\nworkers = 1\nout = "b"\n')
    assert train_command(["--config", "run.toml"]) == 0
    fit(replace(QUICK, patch_size=2, max_steps=3, data=npz, out=tmp_path / "c"), reporter=Quiet())
    weights = [(tmp_path / name / "last.safetensors").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] == weights[2]
    assert evaluate_command(["a", "--json"]) == 0
    assert evaluate_command(["b", "--part", "all", "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines()[-2:])
    assert (first["images"], first["part"], second["images"]) == (12, "test", 48)


def test_a_run_finds_its_data_from_elsewhere_or_says_where_they_were(npz, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(TrainConfig(data="mine.npz", max_steps=2, batch_size=8, workers=1, out=tmp_path / "run"), reporter=Quiet())
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    resume = ["--resume", "--out", tmp_path / "run", "--max-steps", "3"]
    assert train_command(resume) == 0
    assert evaluate_command([tmp_path / "run"]) == 0
    os.rename(npz, tmp_path / "moved.npz")
    capsys.readouterr()
    assert train_command(resume) == 3
    error = capsys.readouterr().err
    assert f"the run was trained on {npz}, which is not there any more: name its new place with --data" in error
    assert evaluate_command([tmp_path / "run"]) == 3
    assert train_command([*resume, "--data", tmp_path / "moved.npz"]) == 0
    assert evaluate_command([tmp_path / "run", "--data", tmp_path / "moved.npz"]) == 0
    with np.load(tmp_path / "moved.npz") as file:
        np.savez(tmp_path / "moved.npz", **{**file, "y_test": file["y_test"][::-1]})
    capsys.readouterr()
    assert evaluate_command([tmp_path / "run"]) == 0
    assert "have changed since the run was trained" in capsys.readouterr().err
    assert train_command([*resume[:-1], "4"]) == 1
    assert "give the --data of the run" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "message"), [
    (["--data-dir", "photos"], "to train on images of your own, name them: --data FOLDER"),
    (["--data", "photos", "--data-dir", "x"], "--data-dir has no effect with --data photos"),
    (["--data", "photos", "--download"], "--download has no effect with --data photos"),
    (["--data", "cifar10", "--test-share", "0.3"], "--test-share has no effect with --data cifar10"),
    (["--test-share", "0.3"], "--test-share has no effect with --data digits"),
    (["--data", "photos", "--validation", "1.5"], "validation is 1.5: expected a share")])
def test_options_that_the_data_ignore_are_refused(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert train_command([*arguments, "--out", tmp_path / "run"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("side", "patch"), [(8, 1), (28, 4), (32, 4), (48, 6), (64, 8), (96, 12), (128, 16), (37, 1)])
def test_images_of_any_side_are_cut_into_about_8_by_8_patches(side, patch):
    assert usual_patch(side, mm.nn.MIXERS["nano"]) == patch


def test_few_images_make_the_batch_of_a_preset_smaller_and_it_is_said(arrays, tmp_path):
    images, labels = arrays[0][:12], arrays[1][:12]
    dataset = mm.data.from_arrays(images[:9], labels[:9], images[9:], labels[9:])
    said = []

    class Watch(Callback):
        def start(self, progress):
            said.extend(progress.introduction)

    config = replace(PRESETS["photos"], model="pico", epochs=2, workers=1, out=tmp_path / "run")
    history = fit(config, [Watch()], Quiet(), dataset=dataset)
    assert "Batches of 2, not 32: there are only 9 training images" in said
    assert json.loads((tmp_path / "run" / "config.json").read_text())["config"]["batch_size"] == 2
    assert history.metrics[-1]["step"] == 8
    fit(replace(config, resume=True), reporter=Quiet(), dataset=dataset)
    with pytest.raises(UsageError, match=r"--batch-size is 11: expected 1..9, the number of training images"):
        fit(replace(QUICK, batch_size=11, out=tmp_path / "other"), reporter=Quiet(), dataset=dataset)
