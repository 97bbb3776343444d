"""What shows a run may fail in any way: the run is saved before it is shown, goes on, and ends with all its files."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from minimixer.errors import RunError
from minimixer.train import PRESETS, Callback, checkpoint, fit, report
from minimixer.train.callbacks import DISPLAY_LOG

QUICK = replace(PRESETS["digits"], max_steps=26, log_every=5, workers=1)
FILES = ("last.safetensors", "best.safetensors")
ALL = {*FILES, "config.json", "metrics.jsonl", "report.md", "curves.png", "confusion.png", "mistakes.png"}
EVENTS = ("start", "step", "metrics", "epoch", "finish", "close")


class Broken(Callback):
    """Raises at some of its calls."""

    def __init__(self, events, error):
        for name in events:
            setattr(self, name, lambda *news: self.fail(error))

    def fail(self, error):
        raise error


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    return fit(replace(QUICK, out=tmp_path_factory.mktemp("untouched") / "run")).out


def same(out, untouched):
    return all((out / name).read_bytes() == (untouched / name).read_bytes() for name in FILES)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), BrokenPipeError(), ValueError("closed file"),
                                   ZeroDivisionError("a bug")], ids=repr)
def test_a_reporter_that_raises_at_every_call(error, untouched, tmp_path, capsys):
    fit(replace(QUICK, out=tmp_path / "run"), reporter=Broken(EVENTS, error))
    assert {path.name for path in (tmp_path / "run").iterdir()} >= ALL
    assert same(tmp_path / "run", untouched)
    (note,) = (tmp_path / "run" / DISPLAY_LOG).read_text().splitlines()
    assert note.startswith(f"Broken failed at step 0 ({type(error).__name__}")
    assert note in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("event", EVENTS)
def test_a_reporter_that_raises_at_one_of_them(event, untouched, tmp_path):
    fit(replace(QUICK, out=tmp_path / "run"), reporter=Broken([event], OSError("gone")))
    assert {path.name for path in (tmp_path / "run").iterdir()} >= ALL
    assert same(tmp_path / "run", untouched)


@pytest.mark.parametrize("event", ["step", "metrics", "epoch", "finish"])
def test_a_callback_of_ones_own_that_raises_ends_the_run_once_it_is_saved(event, untouched, tmp_path):
    class Checks(Broken):
        def fail(self, error):
            if progress[0].step > 2:
                raise error

    progress, config = [], replace(QUICK, out=tmp_path / "run")

    class Looks(Callback):
        def start(self, about):
            progress.append(about)

    with pytest.raises(ZeroDivisionError, match="a bug"):
        fit(config, [Looks(), Checks([event], ZeroDivisionError("a bug"))])
    saved = checkpoint.read(config.out / "last.safetensors")[1]
    assert saved["step"] == progress[0].step > 2
    assert saved.keys() == checkpoint.read(untouched / "last.safetensors")[1].keys()
    fit(replace(config, resume=True))
    assert same(config.out, untouched)


def test_what_is_shown_is_on_the_disk_already(tmp_path):
    class Looks(Callback):
        def epoch(self, progress, loss, accuracy):
            out = progress.history.out
            steps.append([checkpoint.read(out / name)[1]["step"] for name in FILES])
            assert steps[-1][0] == progress.step
            assert f'"test_accuracy": {accuracy}' in (out / "metrics.jsonl").read_text()

    steps = []
    fit(replace(QUICK, out=tmp_path / "run"), [Looks()])
    assert len(steps) == 2


def test_a_signal_while_the_report_is_drawn(tmp_path, monkeypatch, capsys):
    config, write = replace(QUICK, out=tmp_path / "a run", max_steps=3), report.write
    for number in (signal.SIGINT, signal.SIGTERM):
        monkeypatch.setattr(report, "write", lambda run, logits, number=number: signal.raise_signal(number))
        history = fit(replace(config, overwrite=config.out.exists()))
        assert history.interrupted == number
        said = capsys.readouterr().out.splitlines()
        assert said[-2] == (f"Stopped at step 3 by {number.name}; the run is complete, without its report.  To write "
                            "it:")
        assert said[-1] == f"minimixer train --resume --out '{config.out}'"
        assert not (config.out / "report.md").exists()
    monkeypatch.setattr(report, "write", write)
    fit(replace(config, resume=True))
    assert {path.name for path in config.out.iterdir()} >= ALL


def test_a_report_that_cannot_be_written(tmp_path, monkeypatch):
    def full(run, logits):
        raise OSError(28, "No space left on device", "curves.png")

    monkeypatch.setattr(report, "write", full)
    with pytest.raises(RunError, match=r"the run is complete, but its report could not be written \(.*curves.png': "
                                       r"make room there\); then write it with: minimixer train --resume --out"):
        fit(replace(QUICK, out=tmp_path / "run", max_steps=3))
    assert checkpoint.read(tmp_path / "run" / "last.safetensors")[1]["step"] == 3


def test_a_plotting_library_that_is_misconfigured(tmp_path, monkeypatch):
    """``import matplotlib`` raises ValueError where MPLBACKEND or a matplotlibrc names a backend that is none."""
    def broken(run, logits):
        raise ValueError("Key backend: 'foo' is not a valid value")

    monkeypatch.setattr(report, "write", broken)
    with pytest.raises(RunError, match=r"the run is complete.*ValueError: Key backend: 'foo'.*; then write it with: "):
        fit(replace(QUICK, out=tmp_path / "run", max_steps=3))


def train(tmp_path, redirection, **options):
    command = (f"{sys.executable} -m minimixer.train --max-steps 26 --log-every 5 --workers 1 --no-blas-tune "
               f"--out {tmp_path / 'run'} {redirection}")
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=100, **options)


@pytest.mark.slow
@pytest.mark.parametrize("redirection", ["> /dev/full", "2> /dev/full > /dev/full", ">&-", "2>&-", ">&- 2>&- <&-"])
def test_streams_that_are_full_or_closed(redirection, untouched, tmp_path):
    done = train(tmp_path, redirection)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} >= ALL
    assert same(tmp_path / "run", untouched)


@pytest.mark.slow
def test_head_loses_nothing(untouched, tmp_path):
    done = train(tmp_path, "| head -1; exit ${PIPESTATUS[0]}")
    assert done.returncode == 0
    assert same(tmp_path / "run", untouched)
    assert {path.name for path in (tmp_path / "run").iterdir()} >= ALL


@pytest.mark.slow
def test_a_terminal_that_is_closed(untouched, tmp_path):
    pty = pytest.importorskip("pty", reason="there are no terminals of this kind")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "minimixer.train", "--max-steps", "26", "--log-every", "5", "--workers", "1",
               "--no-blas-tune", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs,
                               preexec_fn=lambda: (os.setsid(), signal.signal(signal.SIGHUP, signal.SIG_IGN)))
    os.close(theirs)
    os.read(ours, 100)
    os.close(ours)
    assert process.wait(timeout=100) == 0
    assert same(tmp_path / "run", untouched)
    assert "failed at step" in (tmp_path / "run" / DISPLAY_LOG).read_text()
