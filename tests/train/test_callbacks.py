import importlib.util
import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from minimixer.errors import UsageError
from minimixer.parallel import Workers
from minimixer.train import PRESETS, Callback, Estimate, estimate, fit, report
from minimixer.train.estimate import duration, measure
from minimixer.train.initialize import initialize
from minimixer.train.loop import train_step
from minimixer.train.progress import NotebookReporter, TerminalReporter, default_reporter

QUICK = replace(PRESETS["digits"], max_steps=30, workers=1)


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch):
    monkeypatch.setattr(report, "write", lambda run, best_logits: None)


class Recorder(Callback):
    def __init__(self):
        self.calls = []

    def __getattribute__(self, name):
        if name in ("start", "estimate", "step", "metrics", "epoch", "finish", "close"):
            return lambda *news: self.calls.append(name)
        return super().__getattribute__(name)


def test_callbacks_are_told_in_order_and_closed(tmp_path):
    recorder = Recorder()
    fit(replace(QUICK, out=tmp_path / "run", max_steps=3, log_every=2), callbacks=[recorder])
    assert recorder.calls == ["start", "step", "step", "metrics", "step", "metrics", "metrics", "epoch", "finish",
                              "close"]


def test_a_callback_can_stop_the_run_and_it_can_go_on_later(tmp_path):
    class Enough(Callback):
        def step(self, progress, loss, correct):
            if progress.step == 5:
                progress.stop()

    history = fit(replace(QUICK, out=tmp_path / "run"), callbacks=[Enough()])
    assert history.metrics[-1]["step"] == 5
    assert history.interrupted is None
    assert fit(replace(QUICK, out=tmp_path / "run", resume=True)).metrics[-1]["step"] == 30


def test_callbacks_are_told_where_the_run_stands(tmp_path):
    class Looks(Callback):
        def step(self, progress, loss, correct):
            self.seen = (progress.step, progress.total_steps, progress.steps_per_epoch, progress.epoch)
            assert progress.config == config
            assert progress.class_names == tuple("0123456789")

        def finish(self, progress):
            self.history, self.model = progress.history, progress.model
            assert round(progress.seconds, 2) == progress.history.metrics[-1]["seconds"]
            assert progress.introduction[0] == "pico (MlpMixer), 72,714 parameters"

    looks, config = Looks(), replace(QUICK, out=tmp_path / "run", max_steps=11)
    history = fit(config, callbacks=[looks])
    assert looks.seen == (11, 11, 22, 0.5)
    assert looks.history is history
    assert looks.model.num_parameters() == 72_714


def test_callbacks_are_closed_after_an_error_too(tmp_path):
    class Breaks(Recorder):
        def __getattribute__(self, name):
            if name == "step":
                raise ZeroDivisionError("in a callback")
            return super().__getattribute__(name)

    callback = Breaks()
    with pytest.raises(ZeroDivisionError, match="in a callback"):
        fit(replace(QUICK, out=tmp_path / "run"), callbacks=[callback])
    assert callback.calls == ["start", "close"]


def test_an_estimate_puts_everything_back_to_the_bit(tmp_path):
    with Workers(1) as workers:
        run = initialize(replace(QUICK, ema=0.9, optimizer="sgd"), workers, out=tmp_path)
        state = run.state
        before = [p.data.copy() for p in state.model.parameters()], [m.copy() for m in state.ema.means]
        measured = measure(run, train_step)
        assert state.step == state.optimizer.step_count == 0
        assert state.recent == []
        assert not any(array.any() for array in state.optimizer.state["velocity"])
        assert all(map(np.array_equal, before[0], [p.data for p in state.model.parameters()]))
        assert all(map(np.array_equal, before[1], state.ema.means))
    assert measured.steps == 30
    assert measured.tests == 2
    assert 0 < measured.seconds_per_step < 10
    assert measured.peak_bytes > 10e6


def test_an_estimate_says_its_parts_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert estimate(QUICK).steps == 30
    assert list(tmp_path.iterdir()) == []
    assert str(Estimate(0.0254, 0.02, 660, 30, 150_000_000)) == (
        "about 17 s (25.4 ms a step, 0.02 s a test), peak memory 150 MB")
    assert [duration(s) for s in (0.4, 99, 100, 1064, 7200)] == ["0 s", "99 s", "2 min", "18 min", "2.0 h"]


@pytest.mark.slow
@pytest.mark.parametrize(("terminal", "width"), [(True, 80), (False, 80), (False, 200)])
def test_what_stays_on_the_screen_fits_80_columns(terminal, width, tmp_path):
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=width, highlight=False, markup=False, soft_wrap=True)
    fit(replace(QUICK, out=tmp_path / "run", max_steps=130), reporter=TerminalReporter(console))
    lines = text.getvalue().splitlines()
    stay = [line for line in lines if "\x1b" not in line and "\r" not in line]
    assert sum(line.startswith("epoch") for line in stay) >= (0 if terminal else 6)
    assert (f"See it: minimixer play {tmp_path / 'run'}" in text.getvalue()) == terminal
    if not terminal:
        assert "\x1b" not in text.getvalue()
        assert stay[4].startswith("Estimate: about ")
    assert all(len(line) <= 80 for line in stay if str(tmp_path) not in line)


def test_in_a_notebook_one_table_renews_itself(tmp_path, monkeypatch):
    pages = []
    handle = SimpleNamespace(update=pages.append)
    display = SimpleNamespace(HTML=str, display=lambda page, display_id: pages.append(page) or handle)
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(__import__("sys").modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(__import__("sys").modules, "IPython.display", display)
    assert isinstance(default_reporter(), NotebookReporter)
    fit(replace(QUICK, out=tmp_path / "a<b"))
    assert pages[-1].count("<tr>") == 1 + 2                     # the head and two epochs
    assert "after the last epoch" in pages[-1]
    assert "a&lt;b" in pages[-1]
    assert "<b" not in pages[-1].replace("<br>", "")


@pytest.mark.skipif(importlib.util.find_spec("tensorboardX") is None, reason="tensorboardX is not installed")
def test_events_for_tensorboard_hold_the_metrics(tmp_path):
    history = fit(replace(QUICK, out=tmp_path / "run", max_steps=4, log_every=2, tensorboard=True))
    events = b"".join(p.read_bytes() for p in history.out.glob("events.out.tfevents*"))
    for name in (b"train_loss", b"test_accuracy", b"lr"):
        assert name in events


@pytest.mark.skipif(importlib.util.find_spec("tensorboardX") is None, reason="tensorboardX is not installed")
@pytest.mark.parametrize("step", [0, 2])
def test_a_resumed_run_hides_the_events_after_its_checkpoint_only(step, tmp_path, monkeypatch):
    import tensorboardX
    purged = []
    monkeypatch.setattr(tensorboardX, "SummaryWriter",
                        lambda folder, purge_step: purged.append(purge_step) or SimpleNamespace(
                            add_scalar=lambda *event: None, close=lambda: None))
    config = replace(QUICK, out=tmp_path / "run", tensorboard=True, max_steps=4)

    class Stops(Callback):
        def step(self, progress, loss, correct):
            if progress.step == step:
                progress.stop()

        def start(self, progress):
            if step == 0:
                progress.stop()

    fit(config, callbacks=[Stops()])
    fit(replace(config, resume=True))
    assert purged == [None, step + 1]


def test_a_run_that_is_stopped_before_its_first_step_says_that_there_is_no_report(tmp_path, monkeypatch):
    monkeypatch.undo()                                          # with its real report

    class Enough(Callback):
        def start(self, progress):
            progress.stop()

    screen = io.StringIO()
    history = fit(replace(QUICK, out=tmp_path / "run"), [Enough()], TerminalReporter(Console(file=screen, width=200)))
    assert history.metrics == []
    assert "Ended at step 0; metrics.jsonl holds no test, so there is no report." in screen.getvalue()
    assert fit(replace(QUICK, out=tmp_path / "run", resume=True)).metrics[-1]["step"] == 30


def test_a_run_whose_metrics_were_lost_ends_without_a_report(tmp_path, monkeypatch):
    monkeypatch.undo()
    history = fit(replace(QUICK, out=tmp_path / "run"))
    (history.out / "metrics.jsonl").unlink()
    assert fit(replace(QUICK, out=history.out, resume=True)).metrics == []


def test_the_estimate_of_a_resumed_run_is_of_what_is_left(tmp_path):
    class Stops(Callback):
        def step(self, progress, loss, correct):
            if progress.step == 20:
                progress.receive(2)

    history = fit(replace(QUICK, out=tmp_path / "run"), callbacks=[Stops()])
    before = (history.out / "metrics.jsonl").read_bytes()
    assert estimate(replace(QUICK, out=history.out, resume=True)).steps == 10
    assert (history.out / "metrics.jsonl").read_bytes() == before


def test_without_tensorboardx_the_flag_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(UsageError, match=r'pip install "minimixer\[tensorboard\]"'):
        fit(replace(QUICK, out=tmp_path / "run", tensorboard=True))
