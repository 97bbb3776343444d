"""``minimixer seeds``: every seed is run, and every one is reported."""

import json
from dataclasses import replace

import pytest

from minimixer.commands.train import parse
from minimixer.train import Callback, fit
from minimixer.train.resume import read_metrics
from tests.support.commands import seeds as main

QUICK = ["digits", "--max-steps", "6", "--workers", "1"]


@pytest.mark.slow
def test_every_seed_is_reported_and_a_second_call_only_reads(tmp_path, capsys):
    command = [*QUICK, "--out", str(tmp_path), "--seeds", "3", "5"]
    assert main(command) == 0
    text = capsys.readouterr().out
    rows = json.loads((tmp_path / "seeds.json").read_text())
    assert [row["seed"] for row in rows] == [3, 5]
    for row in rows:
        metrics = read_metrics(tmp_path / f"seed-{row['seed']}")
        assert row["last_accuracy"] == metrics[-1]["test_accuracy"]
        assert f"| {row['seed']} | {row['last_accuracy']:.2%} |" in text
    assert rows[0] != {**rows[1], "seed": 3}
    assert f"{sum(row['last_accuracy'] for row in rows) / 2:.2%} ±" in text
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("seed-*/*")}
    assert main(command) == 0
    assert text.endswith(capsys.readouterr().out)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("seed-*/*")}
    assert main([*command, "--lr", "0.1"]) == 2
    assert "holds a run with other settings (--lr 0.1 instead of 0.01)" in capsys.readouterr().err


def test_what_cannot_be_asked_for(tmp_path, capsys):
    assert main([*QUICK, "--out", str(tmp_path), "--seeds", "1", "1"]) == 2
    assert "names a seed twice" in capsys.readouterr().err
    assert main([*QUICK, "--seeds", "1"]) == 2
    assert main([*QUICK, "--out", str(tmp_path), "--estimate"]) == 2
    assert "--estimate is for one run" in capsys.readouterr().err
    for flag in ("--resume", "--overwrite"):
        assert main([*QUICK, "--out", str(tmp_path), flag]) == 2
        assert f"{flag} is for one run" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_same_command_goes_on_wherever_a_seed_was_stopped(tmp_path, capsys):
    config = parse(QUICK)[0]
    started, half = tmp_path / "seed-0", tmp_path / "seed-1"

    class Stops(Callback):
        def step(self, training, loss, correct):
            training.receive(2)

    fit(replace(config, out=half, seed=1), callbacks=[Stops()])
    fit(replace(config, out=started), callbacks=[Stops()])
    (started / "last.safetensors").unlink()                     # killed before its first checkpoint
    command = [*QUICK, "--out", str(tmp_path), "--seeds", "0", "1"]
    assert main([*command, "--lr", "0.5"]) == 2
    assert "seed-0 holds a run with other settings (--lr 0.5 instead of 0.01)" in capsys.readouterr().err
    assert main(command) == 0
    assert [row["steps"] for row in json.loads((tmp_path / "seeds.json").read_text())] == [6, 6]


def test_the_model_of_a_source_is_no_other_setting(tmp_path):
    source = fit(replace(parse(QUICK)[0], model="vit-pico", out=tmp_path / "source")).out
    command = [*QUICK, "--init-from", str(source), "--out", str(tmp_path / "runs"), "--seeds", "0"]
    assert [main(command), main(command)] == [0, 0]
