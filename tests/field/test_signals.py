"""Every signal that asks a program to end saves the run first; what was ignored stays ignored."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from minimixer.train import PRESETS, Callback, checkpoint, fit
from minimixer.train.signals import ASKED, TOLD, name_of, signals_into
from tests.support import kill

QUICK = replace(PRESETS["digits"], max_steps=40, workers=1)
ALL = [*ASKED, *TOLD]
NAMES = list(map(name_of, ALL))


class Sends(Callback):
    """Sends itself a signal, ``times`` times, in the middle of a step."""

    def __init__(self, number, times=1):
        self.number, self.times = number, times

    def step(self, progress, loss, correct):
        if progress.step == 7:
            for _ in range(self.times):
                signal.raise_signal(self.number)


@pytest.fixture(autouse=True)
def as_they_are():
    """Every signal does what it does by default, as on a terminal; afterwards what it did before."""
    before = {number: signal.getsignal(number) for number in ALL}
    for number in ALL:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ALL, ids=NAMES)
def test_the_run_is_saved_and_says_what_it_received(number, tmp_path, capsys):
    history = fit(replace(QUICK, out=tmp_path / "run"), [Sends(number)])
    assert history.interrupted == number
    assert checkpoint.read(tmp_path / "run" / "last.safetensors")[1]["step"] == 7
    said = capsys.readouterr().out.splitlines()
    assert said[-2] == f"Stopped at step 7 by {name_of(number)}; all of it is saved.  To go on:"
    assert said[-1] == f"minimixer train --resume --out {tmp_path / 'run'}"


@pytest.mark.parametrize("number", TOLD, ids=map(name_of, TOLD))
def test_what_is_sent_more_than_once_does_not_end_it_before_it_is_saved(number, tmp_path):
    assert fit(replace(QUICK, out=tmp_path / "run"), [Sends(number, 3)]).interrupted == number
    assert checkpoint.read(tmp_path / "run" / "last.safetensors")[1]["step"] == 7


@pytest.mark.parametrize("number", ALL, ids=NAMES)
def test_what_is_ignored_stays_ignored(number, tmp_path):
    signal.signal(number, signal.SIG_IGN)
    history = fit(replace(QUICK, out=tmp_path / "run", max_steps=10), [Sends(number)])
    assert history.interrupted is None
    assert history.metrics[-1]["step"] == 10
    assert signal.getsignal(number) == signal.SIG_IGN


def test_everything_is_as_before_afterwards_and_a_handler_of_ones_own_is_called():
    mine = []
    if own := TOLD[:1]:
        signal.signal(own[0], lambda number, frame: mine.append(number))
    before = {number: signal.getsignal(number) for number in ALL}
    received = []
    with signals_into(received.append):
        for number in own:
            signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
    assert mine == list(own)
    assert received == [signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in ALL} == before


@pytest.mark.slow
@pytest.mark.parametrize("number", [n for n in ALL if n not in (signal.SIGINT, signal.SIGTERM)],
                         ids=[name_of(n) for n in ALL if n not in (signal.SIGINT, signal.SIGTERM)])
def test_the_exit_code_is_128_and_the_number(number, tmp_path):
    process = subprocess.Popen([sys.executable, "-m", "minimixer.train", "--workers", "1", "--epochs", "1000",
                                "--log-every", "1", "--out", str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    metrics = tmp_path / "run" / "metrics.jsonl"
    while process.poll() is None and not metrics.exists():
        time.sleep(0.02)
    os.kill(process.pid, number)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"by {name_of(number)}; all of it is saved" in stdout.splitlines()[-2]


@pytest.mark.slow
def test_a_signal_while_the_report_imports_what_it_needs_does_not_end_in_another_one(tmp_path):
    """After ``python -m``, Python kills itself by SIGINT if a KeyboardInterrupt went through exec, even if caught."""
    (tmp_path / "signaled.py").write_text(
        "import sys; from minimixer.cli import start; from minimixer.train import report\n"
        "report.write = lambda *_: exec('import signal; signal.raise_signal(signal.SIGUSR1)')\n"
        "sys.exit(start('train'))")
    done = subprocess.run([sys.executable, "-m", "signaled", "--max-steps", "3", "--out", str(tmp_path / "run")],
                          capture_output=True, text=True, timeout=100, check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])})
    assert done.returncode == 128 + signal.SIGUSR1, done
    assert "Stopped at step 3 by SIGUSR1; the run is complete, without its report" in done.stdout


@pytest.mark.slow
def test_signals_at_random_moments_change_no_byte_and_nothing_beside_the_run(tmp_path):
    """The long form is ``python -m tests.support.kill --rounds 30 --signals all``."""
    assert kill.main(["--rounds", "1", "--steps", "60", "--signals", "all", "--folder", str(tmp_path)]) == 0
