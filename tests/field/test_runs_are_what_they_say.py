"""A run is what its config.json says: checkpoints, settings and data of others are refused, other machines are said."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from minimixer.data import known, load_digits
from minimixer.errors import RunError, UsageError
from minimixer.train import PRESETS, Callback, checkpoint, fit, report
from minimixer.train.checkpoint import CheckpointError
from minimixer.train.config import TrainConfig
from minimixer.train.run_folder import read_config
from tests.support.commands import train as main

QUICK = replace(PRESETS["digits"], max_steps=4, workers=1, log_every=1)
LAST = "last.safetensors"


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch):
    monkeypatch.setattr(report, "write", lambda run, best_logits: None)


@pytest.fixture
def run(tmp_path):
    return fit(replace(QUICK, out=tmp_path / "run")).out


class Introduction(Callback):
    def start(self, progress):
        self.lines = list(progress.introduction)


def resumed(run, **changes):
    """What a resumed run says of itself."""
    said = Introduction()
    fit(replace(read_config(run), out=run, resume=True, **changes), reporter=said)
    return [line for line in said.lines if line.startswith("Resumed with")]


def edit(path, **changes):
    content = json.loads(path.read_text())
    content["config"] |= changes
    path.write_text(json.dumps(content))


def edit_checkpoint(run, *without, **changes):
    arrays, metadata = checkpoint.read(run / LAST)
    checkpoint.write(run / LAST, arrays, {name: value for name, value in (metadata | changes).items()
                                          if name not in without})


def untouched(run):
    return {path.name: path.read_bytes() for path in run.iterdir()}


def test_killed_before_it_had_a_configuration_it_is_no_run_on_digits(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    assert main(["--resume", "--out", str(tmp_path / "run")]) == 1
    assert "has no config.json, so nothing says which run to resume" in capsys.readouterr().err
    assert os.listdir(tmp_path / "run") == [".lock"]
    (tmp_path / "run" / "config.json.0123abcd.tmp").write_text("{")     # killed while it wrote it
    assert fit(replace(QUICK, out=tmp_path / "run")).metrics


def test_without_its_configuration_a_run_is_not_resumed(run):
    (run / "config.json").unlink()
    before = untouched(run)
    with pytest.raises(RunError, match=r"has no config.json"):
        fit(replace(QUICK, out=run, resume=True))
    assert untouched(run) == before


def test_imported_weights_are_no_run(run):
    (run / "config.json").write_text('{"config": {}, "import": {}}')
    with pytest.raises(RunError, match=r"holds imported weights, .* --init-from"):
        fit(replace(QUICK, out=run, resume=True))


def test_the_configuration_is_there_before_any_other_file(tmp_path, monkeypatch):
    seen = []
    original = checkpoint.write
    monkeypatch.setattr(checkpoint, "write", lambda path, *rest: (seen.append(sorted(os.listdir(path.parent))),
                                                                  original(path, *rest)))
    fit(replace(QUICK, out=tmp_path / "run", max_steps=1, log_every=10))
    assert "config.json" in seen[0]


@pytest.mark.parametrize("changes", [{"lr": 0.5}, {"label_smoothing": 0.2}, {"max_steps": 3}, {"seed": 1}])
def test_the_checkpoint_of_another_run_is_refused(changes, run, tmp_path):
    other = fit(replace(QUICK, **changes, out=tmp_path / "other")).out
    shutil.copy(other / LAST, run / LAST)
    before = untouched(run)
    with pytest.raises(CheckpointError, match="is the checkpoint of another run"):
        fit(replace(QUICK, out=run, resume=True))
    assert untouched(run) == before


def test_an_edited_seed_is_refused_and_an_edited_rate_is_said(run):
    edit(run / "config.json", seed=1)
    with pytest.raises(CheckpointError, match=r"was made with --seed 0, but config.json says 1: restore config.json"):
        resumed(run)
    edit(run / "config.json", seed=0, lr=0.001)
    assert resumed(run) == ["Resumed with --lr 0.001 instead of 0.01"]


def test_other_data_of_the_same_shape_are_refused(run, monkeypatch):
    digits = load_digits()
    labels = np.roll(digits.train_labels, 1)
    monkeypatch.setattr(known, "load", lambda *_: replace(digits, train_labels=labels))
    with pytest.raises(CheckpointError, match="was made with other images or labels"):
        resumed(run)


@pytest.mark.parametrize(("changes", "message"), [
    ({"step": 10**9, "optimizer_steps": 10**9}, r"is at step 1,000,000,000, but this run ends at step 4"),
    ({"step": 10**9}, "does not say where its run stood"), ({"step": -1, "optimizer_steps": -1}, "does not say"),
    ({"step": "four"}, "does not say"), ({"step": True, "optimizer_steps": True}, "does not say"),
    ({"recent": "none"}, "does not say"), ({"recent": [float("nan")]}, "does not say"),
    ({"best_accuracy": "high"}, "does not say")])
def test_absurd_numbers_in_a_checkpoint_are_refused(changes, message, run):
    edit_checkpoint(run, **changes)
    with pytest.raises(CheckpointError, match=message):
        resumed(run)


def test_another_machine_is_said_and_the_first_one_is_kept(run):
    before = json.loads((run / "config.json").read_text())["environment"]
    edit_checkpoint(run, environment={"numpy": "1.0", "blas_kernel": "Prescott", "numba": 7})
    said = resumed(run)
    assert any(line.startswith("Resumed with NumPy") and "instead of 1.0: the last bits may differ" in line
               for line in said)
    assert any("BLAS kernel" in line and "Prescott" in line for line in said)
    assert len(said) == 3
    content = json.loads((run / "config.json").read_text())
    assert content["first_environment"] == before
    content["first_environment"]["numpy"] = content["environment"]["numpy"] = "1.0"
    (run / "config.json").write_text(json.dumps(content))
    resumed(run)
    content = json.loads((run / "config.json").read_text())
    assert content["first_environment"]["numpy"] == "1.0"
    assert content["environment"]["numpy"] == np.__version__


def test_checkpoints_of_older_versions_still_resume(run):
    edit_checkpoint(run, "settings", "begun", "data_digest", "environment")
    content = json.loads((run / "config.json").read_text())
    del content["begun"], content["first_environment"]
    (run / "config.json").write_text(json.dumps(content))
    first, second = resumed(run, max_steps=6)
    assert first == "Resumed with --max-steps 6 instead of 4"
    assert "last.safetensors of an older version, which does not say whether it belongs" in second
    assert resumed(run) == []


def test_a_lost_checkpoint_does_not_begin_the_run_again(tmp_path):
    run = fit(replace(QUICK, out=tmp_path / "run", max_steps=None, epochs=2, log_every=10)).out
    (run / LAST).unlink()
    before = untouched(run)
    with pytest.raises(RunError, match=r"is gone, and the run was at step 44: restore it"):
        resumed(run)
    assert untouched(run) == before


def test_a_lost_best_file_does_not_end_the_run(run, monkeypatch):
    (run / "best.safetensors").unlink()
    assert resumed(run, max_steps=6)[-1].startswith("Resumed with no best.safetensors, which is gone")
    assert (run / "best.safetensors").is_file()
    (run / "best.safetensors").unlink()
    monkeypatch.undo()
    resumed(run)                                    # at its end already: it only draws, with the last weights
    assert (run / "report.md").is_file()


def test_a_moved_run_with_windows_line_ends_goes_on(run):
    run = run.rename(run.with_name("moved"))
    for name in ("config.json", "metrics.jsonl"):
        (run / name).write_bytes(b"\xef\xbb\xbf" + (run / name).read_bytes().replace(b"\n", b"\r\n"))
    assert resumed(run, max_steps=5) == ["Resumed with --max-steps 5 instead of 4"]


@pytest.mark.parametrize(("settings", "words"), [
    ({"flip": "no"}, "--flip is no: expected true or false"), ({"lr": "fast"}, "--lr is fast: expected a number"),
    ({"epochs": [3]}, "--epochs is [3]: expected a whole number"), ({"lr": True}, "--lr is True: expected a number"),
    ({"resume": 1}, None), ({"out": 7}, "--out is 7: expected a path"), ({"model": ["pico"]}, "--model is"),
    ({"lr": float("inf")}, "--lr is inf: expected a number"), ({"graph": None}, "--graph is None: expected true or")])
def test_settings_of_a_wrong_type_are_one_sentence(settings, words, run, capsys):
    edit(run / "config.json", **settings)
    code = main(["--resume", "--out", str(run)])
    error = capsys.readouterr().err
    assert code == (1 if words else 0)
    assert (words or "") in error
    assert error.count("\n") == bool(words)
    if words and "expected" in words:
        with pytest.raises(UsageError):
            TrainConfig(**settings)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"config": ' * 100_000, b"\xff\xfe[\x00", b"7", b"[]",
                                     b'{"config": 7}', b"\x80", b"", b'{"config": {"lr": NaN}}'])
def test_a_configuration_that_is_none_is_one_sentence(content, run, capsys):
    (run / "config.json").write_bytes(content)
    assert main(["--resume", "--out", str(run)]) == 1
    error = capsys.readouterr().err
    assert "config.json is not a whole configuration" in error
    assert error.count("\n") == 1
    assert "--overwrite" not in error
