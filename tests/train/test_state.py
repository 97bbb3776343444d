"""The one list of what a run is: what a snapshot misses, a checkpoint, an estimate and a process would lose."""

from dataclasses import replace

import numpy as np
import pytest

from minimixer.backend import to_numpy
from minimixer.errors import DivergedError
from minimixer.parallel import Group, Workers
from minimixer.train import PRESETS, checkpoint
from minimixer.train.initialize import initialize
from minimixer.train.loop import train_step
from minimixer.train.measured import best_of
from minimixer.train.state import History

QUICK = replace(PRESETS["digits"], max_steps=30, workers=1, ema=0.9)


@pytest.fixture
def start(tmp_path):
    """Makes runs that stand after some steps."""
    with Workers(1) as workers:
        def at(steps, **changes):
            run = initialize(replace(QUICK, **changes), workers, out=tmp_path)
            for _ in range(steps):
                train_step(run, *run.batches[run.state.step])
            run.state.history.metrics.extend({"step": step, "train_loss": 1.0} for step in range(steps))
            run.state.history.best_accuracy = steps / 100
            run.state.seconds = 0.5 * steps
            return run
        yield at


def bits(state):
    """All that a state says of itself, to compare."""
    return {name: to_numpy(array).tobytes() for name, array in state.arrays().items()}, repr(state.numbers())


@pytest.mark.parametrize(("optimizer", "kinds"), [("adamw", {"model", "optim.m", "optim.v", "ema"}),
                                                  ("muon", {"model", "optim.m", "optim.v", "ema"}),
                                                  ("sgd", {"model", "optim.velocity", "ema"})])
def test_every_array_of_a_run_has_the_name_it_has_in_its_file(optimizer, kinds, start, tmp_path):
    state = start(2, optimizer=optimizer).state
    names = [name for name, _ in state.model.named_parameters()]
    assert state.arrays().keys() == {f"{kind}.{name}" for kind in kinds for name in names}
    state.save(tmp_path / "x.safetensors", {"side": 8})
    arrays, metadata = checkpoint.read(tmp_path / "x.safetensors")
    assert {name: array.tobytes() for name, array in arrays.items()} == bits(state)[0]
    assert metadata == {"version": 2, "side": 8, "step": 2, "optimizer_steps": 2, "best_accuracy": 0.02,
                        "recent": [float(loss) for loss in state.recent]}


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "sgd"])
def test_a_snapshot_is_put_back_to_the_bit(optimizer, start):
    run = start(3, optimizer=optimizer)
    state = run.state
    before, places = bits(state), {name: array.ctypes.data for name, array in state.arrays().items()}
    metrics = state.history.metrics
    snapshot = state.snapshot()
    for _ in range(4):
        train_step(run, *run.batches[state.step])
    state.history.metrics.append({"step": 7})
    state.history.best_accuracy, state.seconds = 0.9, 9.0
    changed = bits(state)
    assert all(changed[0][name] != content for name, content in before[0].items() if content)
    assert state.step == 7
    state.restore(snapshot)
    assert bits(state) == before
    assert {name: array.ctypes.data for name, array in state.arrays().items()} == places    # a graph reads them there
    assert state.history.metrics is metrics
    again = state.snapshot()
    train_step(run, *run.batches[state.step])
    state.restore(again)                        # what was restored is a copy, too
    assert bits(state) == before


def test_what_is_saved_is_what_is_loaded(start, tmp_path):
    one, other = start(3).state, start(0, seed=1).state
    one.save(tmp_path / "x.safetensors", {})
    other.load(tmp_path / "x.safetensors")
    assert bits(other)[0] == bits(one)[0]
    assert (other.step, other.optimizer.step_count, other.history.best_accuracy) == (3, 3, 0.03)
    assert other.recent == [float(loss) for loss in one.recent]


def test_a_file_without_the_averages_is_refused_and_nothing_is_changed(start, tmp_path):
    one, other = start(1, ema=0.0).state, start(0).state
    one.save(tmp_path / "x.safetensors", {})
    before = bits(other)
    with pytest.raises(checkpoint.CheckpointError, match=r"holds an ema that does not fit this model: .* is missing"):
        other.load(tmp_path / "x.safetensors")
    assert bits(other) == before


class Sender(Group):
    """The first process; it keeps what it sends."""

    def broadcast(self, value):
        self.value = value
        return value

    def broadcast_arrays(self, arrays):
        self.arrays = [array.copy() for array in arrays]


class Receiver(Group):
    """Another process, which gets what the first one sent."""

    rank = 1

    def __init__(self, sender):
        self.sender = sender

    def broadcast(self, value):
        return self.sender.value

    def broadcast_arrays(self, arrays):
        for array, sent in zip(arrays, self.sender.arrays, strict=True):
            array[...] = sent


def test_of_equally_accurate_weights_those_with_the_lower_loss_are_better(tmp_path):
    history = History(tmp_path)
    chosen = []
    for accuracy, loss in ((0.9, 0.5), (0.8, 0.1), (0.9, 0.5), (0.9, 0.6), (0.9, 0.4), (0.9, 0.45), (0.95, 0.7)):
        if history.would_be_best("test", accuracy, loss):
            history.best_accuracy = accuracy
            chosen.append((accuracy, loss))
        history.metrics.append({"epoch": len(history.metrics) + 1, "test_accuracy": accuracy, "test_loss": loss})
    assert chosen == [(0.9, 0.5), (0.9, 0.4), (0.95, 0.7)]
    assert best_of(history.metrics[:6]) == "90.00% after epoch 5, chosen by 6 tests on the same test images"
    assert best_of(history.metrics[:1]) == "90.00% after epoch 1"


def test_without_the_lines_of_its_tests_the_best_weights_stay(tmp_path):
    history = History(tmp_path, best_accuracy=0.9)
    assert not history.would_be_best("test", 0.9, 0.1)
    assert history.would_be_best("test", 0.91, 0.1)


def test_a_broadcast_puts_every_process_where_the_first_one_is(start):
    one, other, sender = start(4).state, start(1, seed=1).state, Sender()
    one.broadcast(sender)
    assert bits(other) != bits(one)
    other.broadcast(Receiver(sender))
    assert bits(other) == bits(one)


def test_a_loss_that_is_no_number_is_not_saved(start, tmp_path):
    state = start(2).state
    state.recent.append(np.float32("nan"))
    with pytest.raises(DivergedError, match="no longer finite at step 2"):
        state.save(tmp_path / "x.safetensors", {})
    assert not (tmp_path / "x.safetensors").exists()
