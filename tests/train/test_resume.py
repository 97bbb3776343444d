"""A run that is ended at any moment, in any way, goes on to the bytes of a run that nobody touched."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from minimixer.data.sources.cifar import CIFAR10
from minimixer.errors import UsageError
from minimixer.train import PRESETS, Callback, RunError, checkpoint, fit, loop, report
from tests.support import kill
from tests.support.cifar_files import official, unpack

DIGITS = replace(PRESETS["digits"], max_steps=40, log_every=7, ema=0.9)
FILES = ("last.safetensors", "best.safetensors")


@pytest.fixture(scope="module", autouse=True)
def no_drawing():
    """What a finished run draws is tested in test_report.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write", lambda run, best_logits: None)
        yield


class CtrlC(Callback):
    """Presses Ctrl-C (or sends another signal) in the middle of a step."""

    def __init__(self, step, number=signal.SIGINT):
        self.at, self.number = step, number

    def step(self, progress, loss, correct):
        if progress.step == self.at:
            signal.raise_signal(self.number)


@pytest.fixture(scope="module", params=["digits", "cifar10", "muon"])
def untouched(request, tmp_path_factory):
    """A configuration, and the run that it makes when nobody disturbs it."""
    folder = tmp_path_factory.mktemp(request.param)
    config = replace(DIGITS, optimizer="muon") if request.param == "muon" else DIGITS
    if request.param == "cifar10":
        unpack(folder / "cifar-10-batches-bin", official(CIFAR10, count=40))
        config = replace(PRESETS["cifar10"], data_dir=folder, model="pico", batch_size=32, epochs=4, warmup_steps=3,
                         stochastic_depth=0.2, dropout=0.2, log_every=5)
    return config, fit(replace(config, workers=1, out=folder / "untouched"))


@pytest.mark.parametrize("moment", range(3))
def test_interrupted_and_resumed_it_ends_with_the_same_bytes(moment, untouched, tmp_path):
    config, run = untouched
    at = int(np.random.default_rng(moment).integers(1, run.metrics[-1]["step"]))
    config = replace(config, out=tmp_path / "run")
    interrupted = fit(replace(config, workers=2), callbacks=[CtrlC(at)])
    assert interrupted.interrupted == signal.SIGINT
    assert checkpoint.read(config.out / "last.safetensors")[1]["step"] == at
    resumed = fit(replace(config, resume=True, workers=1 + moment))
    for name in FILES:
        assert (resumed.out / name).read_bytes() == (run.out / name).read_bytes(), f"{name}, interrupted at {at}"
    assert [m.get("train_loss") for m in resumed.metrics] == [m.get("train_loss") for m in run.metrics]
    assert [m.get("test_loss") for m in resumed.metrics] == [m.get("test_loss") for m in run.metrics]


@pytest.mark.slow
@pytest.mark.parametrize(("every", "saved"), [(5, 15), (7, 14), (None, 0)])        # 7 is log_every too
def test_it_goes_back_to_the_last_checkpoint_if_there_was_no_time_to_save(every, saved, tmp_path, monkeypatch):
    run = fit(replace(DIGITS, out=tmp_path / "untouched"))
    original = loop.train_step

    def dies(run, images, labels):
        if run.state.step == 19:
            raise SystemError("as if the power had gone")
        return original(run, images, labels)

    config = replace(DIGITS, out=tmp_path / "run", checkpoint_every=every)
    monkeypatch.setattr(loop, "train_step", dies)
    with pytest.raises(SystemError):
        fit(config)
    monkeypatch.setattr(loop, "train_step", original)
    last = config.out / "last.safetensors"
    assert (checkpoint.read(last)[1]["step"] if last.exists() else 0) == saved
    with open(config.out / "metrics.jsonl", "a") as file:
        file.write('{"step": 19, "epo')                     # cut short in the middle of a line
    resumed = fit(replace(config, resume=True))
    for name in FILES:
        assert (resumed.out / name).read_bytes() == (run.out / name).read_bytes()


@pytest.mark.slow
def test_the_best_weights_are_kept_though_the_metrics_are_lost(tmp_path):
    run = fit(replace(DIGITS, out=tmp_path / "untouched"))
    config = replace(DIGITS, out=tmp_path / "run", checkpoint_every=5)
    fit(config, callbacks=[CtrlC(30)])
    (config.out / "metrics.jsonl").unlink()
    assert checkpoint.read(config.out / "last.safetensors")[1]["best_accuracy"] == next(
        m["test_accuracy"] for m in run.metrics if "test_accuracy" in m)
    resumed = fit(replace(config, resume=True))
    assert resumed.best_accuracy == run.best_accuracy
    for name in FILES:
        assert (resumed.out / name).read_bytes() == (run.out / name).read_bytes()


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path):
    """The long form is ``python -m tests.support.kill --rounds 30``."""
    assert kill.main(["--rounds", "2", "--steps", "60", "--folder", str(tmp_path)]) == 0


def start(folder, *more):
    """A run in a process of its own that has made its first steps."""
    command = [sys.executable, "-m", "minimixer.train", "--workers", "1", "--epochs", "1000", "--log-every", "1",
               "--out", str(folder), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = folder / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") > 2):
        time.sleep(0.02)
    return process


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_after_the_step_with_everything_saved(number, code, tmp_path):
    process = start(tmp_path / "run")
    os.kill(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert f"minimixer train --resume --out {tmp_path / 'run'}" in stdout
    assert checkpoint.read(tmp_path / "run" / "last.safetensors")[1]["step"] >= 2
    again = subprocess.run([sys.executable, "-m", "minimixer.train", "--resume", "--out", str(tmp_path / "run"),
                            "--max-steps", "60"], capture_output=True, text=True, check=True, timeout=120)
    assert "--max-steps 60 instead of None" in again.stdout


@pytest.mark.slow
def test_a_second_ctrl_c_ends_it_at_once():
    code = ("import signal, sys, time; from minimixer.errors import run_command\n"
            "from minimixer.train.signals import signals_into\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"       # ignored in a shell's background jobs
            "def command():\n"
            "    with signals_into(lambda number: print('first', flush=True)):\n"
            "        print('ready', flush=True); time.sleep(60)\n"
            "sys.exit(run_command('train', command))")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "first\n"
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stderr.strip() == "minimixer train: interrupted"


def test_a_second_signal_that_comes_at_once_is_not_taken_for_the_first():
    from minimixer.train.signals import signals_into
    received = []

    def receive(number):
        received.append(number)
        signal.raise_signal(signal.SIGINT)              # before the first one is dealt with

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), signals_into(receive):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert received == [signal.SIGINT]


def test_a_clock_that_goes_backwards_changes_nothing(tmp_path, monkeypatch):
    clock = iter(range(10**9, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    run = fit(replace(DIGITS, out=tmp_path / "run", max_steps=10))
    assert all(m["seconds"] >= 0 for m in run.metrics)
    assert run.wall_seconds > 0


def test_a_full_disk_ends_the_run_in_one_sentence_and_keeps_the_last_checkpoint(tmp_path, capsys, monkeypatch):
    from tests.support.commands import train as main
    arguments = ["--max-steps", "20", "--checkpoint-every", "5", "--workers", "1", "--out", str(tmp_path / "run")]
    original, kept = checkpoint.write_atomically, []

    def full(path, content):
        if path.name == "last.safetensors" and len(kept) == 2:
            monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(
                OSError(28, "No space left on device", str(path))))
        original(path, content)
        kept.append(path.read_bytes()) if path.name == "last.safetensors" else None

    monkeypatch.setattr(checkpoint, "write_atomically", full)
    assert main(arguments) == 1
    message = capsys.readouterr().err
    assert "No space left on device" in message
    assert message.count("\n") == 1
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == kept[-1]
    monkeypatch.undo()
    assert main([*arguments, "--resume"]) == 0


def test_what_the_folder_holds_decides_and_flags_that_would_break_it_are_refused(tmp_path, capsys):
    from minimixer.commands.train import parse
    from tests.support.commands import train as main
    out = tmp_path / "run"
    fit(replace(DIGITS, out=out, max_steps=6, lr=0.003))
    config, _ = parse(["--resume", "--out", str(out)])
    assert config == replace(DIGITS, out=out, max_steps=6, lr=0.003, resume=True)
    assert main(["cifar10", "--resume", "--out", str(out)]) == 2
    assert "holds a run on digits, not on cifar10" in capsys.readouterr().err
    for flag, value in (("--patch-size", "4"), ("--optimizer", "sgd"), ("--batch-size", "32"), ("--seed", "1")):
        assert main(["--resume", "--out", str(out), flag, value]) == 2
        assert f"{flag} is {value}, but the run was begun with" in capsys.readouterr().err
    with pytest.raises(UsageError, match="--seed is 5"):
        fit(replace(DIGITS, out=out, resume=True, seed=5))
    config = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps(config)[:40])
    with pytest.raises(RunError, match="not a whole configuration"):
        parse(["--resume", "--out", str(out)])
