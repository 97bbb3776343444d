"""Seconds to an accuracy: turns, goals, tables; and that both libraries start alike and learn."""

import json
from dataclasses import replace

import numpy as np
import pytest

from minimixer.bench.learn import compete, learn_table, reached
from minimixer.bench.learners import LEARNERS, Ours, Theirs
from minimixer.train import PRESETS
from tests.support.commands import bench as main

TINY = replace(PRESETS["digits"], max_steps=4, device="cpu")


class Scripted:
    """Learns one percent per step, and notes what it was asked."""

    def __init__(self, name, calls, seconds, total=50):
        self.name, self.calls, self.seconds, self.total, self.done = name, calls, seconds, total, 0

    def call(self, method, *arguments):
        if method == "plan":
            return 20, self.total
        self.calls.append((self.name, method))
        if method == "test":
            return self.done / 100
        self.done += arguments[0]
        return self.seconds * arguments[0]


def test_contenders_take_turns_and_are_tested_after_each():
    calls = []
    found = compete({"a": Scripted("a", calls, 1.0), "b": Scripted("b", calls, 2.0)}, 2)
    assert found["a"] == [(0.5, 10, 0.1), (1.0, 20, 0.2), (1.5, 30, 0.3), (2.0, 40, 0.4), (2.5, 50, 0.5)]
    assert [test[1] for test in found["b"]] == [20, 40, 60, 80, 100]
    assert [name for name, method in calls if method == "learn"] == list("abbaabbaab")      # each goes first in turn


def test_a_shorter_run_ends_earlier_and_leaves_the_turns_to_the_others():
    calls = []
    found = compete({"a": Scripted("a", calls, 1.0, 20), "b": Scripted("b", calls, 2.0)}, 2)
    assert [test[0] for test in found["a"]] == [0.5, 1.0]
    assert [test[0] for test in found["b"]] == [0.5, 1.0, 1.5, 2.0, 2.5]
    assert [name for name, method in calls if method == "learn"] == list("abbabbb")


def test_a_goal_is_reached_at_the_first_test_that_is_not_below_it():
    tests = [(0.5, 10, 0.4), (1.0, 20, 0.6), (1.5, 30, 0.55), (2.0, 40, 0.7)]
    assert reached(tests, 0.6) == (1.0, 20, 0.6)
    assert reached(tests, 0.65) == (2.0, 40, 0.7)
    assert reached(tests, 0.75) is None


def test_a_goal_that_one_run_misses_has_no_mean():
    runs = [{"a": [(1.0, 100, 0.55), (2.0, 201, 0.66)]}, {"a": [(1.0, 102, 0.52), (2.0, 203, 0.58)]}]
    row = [cell.strip() for cell in learn_table(runs, (0.5, 0.6)).splitlines()[-1].split("|")[1:-1]]
    assert row == ["a", "101 s, 1.0", "", "62.0%", "202 s"]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_both_libraries_make_the_same_steps(optimizer):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    ours, theirs = (kind(replace(TINY, optimizer=optimizer), 1) for kind in (Ours, Theirs))
    assert ours.plan() == theirs.plan() == (22, 4)
    for learner in (ours, theirs):
        assert learner.learn(4) > 0
    images = ours.run.dataset.test_images[:100]
    logits = theirs.model(theirs.tensor(images)).detach().numpy()
    # PyTorch's Muon multiplies in bfloat16, which keeps three digits.
    assert np.allclose(ours.run.sharded.predict(images), logits, atol=2e-4 if optimizer == "adamw" else 0.05)
    assert ours.test() == pytest.approx(theirs.test(), abs=0.02)


@pytest.mark.slow
def test_it_writes_what_it_measured(tmp_path, capsys):
    assert main(["learn", "--preset", "digits", "--contenders", "minimixer-muon", "minimixer-adamw",
                 "--muon-epochs", "2", "--adamw-epochs", "1", "--seeds", "3", "--threads", "1",
                 "--json", str(tmp_path / "a.json"), "--plot", str(tmp_path / "a.png"),
                 "--markdown", str(tmp_path / "a.md")]) == 0
    (run,) = json.loads((tmp_path / "a.json").read_text())["runs"]
    assert run.keys() <= LEARNERS.keys()
    epochs = [test[0] for test in run["minimixer-muon"]]
    assert epochs == pytest.approx([0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2], abs=0.03)
    assert [test[0] for test in run["minimixer-adamw"]] == epochs[:4]
    assert run["minimixer-muon"][-1][2] > 0.7
    assert "minimixer-adamw" in (tmp_path / "a.md").read_text()
    table = (tmp_path / "a.md").read_text().partition("\n\nMeasured by")[0]
    assert table in capsys.readouterr().out
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
