"""A journal keeps every run that has ended, whatever stopped the next one, and mixes no settings."""

import json
import math

import pytest

from minimixer.errors import UsageError
from minimixer.experiments.journal import Journal
from minimixer.experiments.runs import Arm
from minimixer.files import FileRefusedError

SETTINGS = {"steps": 100, "shares": (3, 10)}


def run(arm="a", seed=0, **result):
    return {"arm": arm, "seed": seed, "settings": {"lr": 0.1}, "seconds": 2.0, "result": {"accuracy": 0.5, **result}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "x.jsonl"


def test_what_ended_is_found_again(path):
    journal = Journal(path, "x", SETTINGS)
    journal.add(run(seed=0))
    journal.add(run("b", loss=[1.0, math.nan]))
    again = Journal(path, "x", SETTINGS)
    assert again.find(Arm("a", {"lr": 0.1}), 0) == run()
    assert again.find(Arm("a", {"lr": 0.1}), 1) is None
    assert again.runs.results("b")[0]["loss"] == [1.0, None]
    assert again.runs.values("b", "loss") == {0: None}
    assert again.runs.arms == ["a", "b"]
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_that_was_cut_short_is_dropped_and_no_other(path, cut):
    journal = Journal(path, "x", SETTINGS)
    journal.add(run(seed=0))
    journal.add(run(seed=1))
    path.write_bytes(path.read_bytes()[:-cut])
    again = Journal(path, "x", SETTINGS)
    assert again.find(Arm("a", {"lr": 0.1}), 0) == run()
    assert (again.find(Arm("a", {"lr": 0.1}), 1) is None) == (cut > 1)      # only the line break is missing
    again.add(run(seed=2))
    assert [json.loads(text).get("seed") for text in path.read_text().splitlines()] == [None, 0, *[1][:cut == 1], 2]


def test_other_settings_are_refused_and_named(path):
    Journal(path, "x", SETTINGS).add(run())
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"other settings \(--steps was 100, is now 200\): ask for the same, or "):
        Journal(path, "x", {**SETTINGS, "steps": 200})
    with pytest.raises(UsageError, match="holds the experiment x: choose another folder"):
        Journal(path, "y", SETTINGS)
    with pytest.raises(UsageError, match=r"a, seed 0: --lr was 0\.1, is now 0\.2"):
        Journal(path, "x", SETTINGS).find(Arm("a", {"lr": 0.2}), 0)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["", "years of work\n", '{"experiment": "x"}\n', "[1]\n"])
def test_a_file_of_others_is_kept(path, content):
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(FileRefusedError, match="did not write it, so it is kept"):
        Journal(path, "x", SETTINGS)
    assert path.read_text() == content


@pytest.mark.parametrize("text", ["{", "3", '{"arm": "a"}', json.dumps({**run(), "failed": "both"})])
def test_a_damaged_line_in_the_middle_is_named(path, text):
    journal = Journal(path, "x", SETTINGS)
    journal.add(run())
    with path.open("a") as file:
        file.write(text + "\n")
    journal.add(run(seed=1))
    with pytest.raises(UsageError, match=r"line 3 of .*x\.jsonl is no run: delete that line"):
        Journal(path, "x", SETTINGS)
