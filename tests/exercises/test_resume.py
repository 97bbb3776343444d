"""A grader that is killed goes on where it stopped, and leaves nothing behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minimixer.exercises import processes
from minimixer.exercises.grading import Journal, Work
from minimixer.exercises.runner import Limits
from tests.support.classroom import make_class

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="the processes are found in /proc")]
ROOT = Path(__file__).parents[2]


def start(folder, out):
    code = "import sys; from minimixer.commands.exercises import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen([sys.executable, "-c", code, "grade", str(folder), "--out", str(out), "--seconds", "4",
                             "--jobs", "2", "--trust-submissions"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "PYTHONPATH": str(ROOT)})


def children_of(pid):
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")
            if (path / "stat").exists() and f") S {pid} " in (path / "stat").read_text()]


def alive(pid):
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_killed_five_times_the_table_is_the_same_and_nothing_is_graded_twice(tmp_path):
    make_class(tmp_path, 14)
    whole, parts = tmp_path / "whole.csv", tmp_path / "parts.csv"
    begin = time.monotonic()
    first = start(tmp_path / "submissions", whole)
    said, _ = first.communicate(timeout=300)
    assert first.returncode == 0, said
    fifth = (time.monotonic() - begin) / 5
    rng, seen = random.Random(7), []
    for _ in range(5):
        grader = start(tmp_path / "submissions", parts)
        time.sleep(1.0 + rng.uniform(0.0, 0.8 * fifth))          # five of them do not finish the class
        assert grader.poll() is None
        started = children_of(grader.pid)
        grader.send_signal(signal.SIGKILL)
        grader.communicate()
        journal = Path(f"{parts}.part")
        if not journal.exists():
            continue
        lines = [line for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]
        assert lines[:len(seen)] == seen
        keys = [json.loads(line)["key"] for line in lines[1:]]
        assert len(keys) == len(set(keys))
        seen = lines
        deadline = time.monotonic() + 10
        while (left := [pid for pid in started if alive(pid)]) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not left
    assert len(seen) > 1
    last = start(tmp_path / "submissions", parts)
    said, _ = last.communicate(timeout=300)
    assert last.returncode == 0
    assert f"Going on: {len(seen) - 1} of " in said
    assert parts.read_bytes() == whole.read_bytes()
    assert not Path(f"{parts}.part").exists()
    assert not list(Path("/tmp").glob(f"{processes.PREFIX}{last.pid}-*"))


def test_results_of_other_limits_or_a_torn_line_are_not_used(tmp_path):
    from minimixer.exercises.grading import grade_one
    work = Work("ada", "ex01")
    out = tmp_path / "grades.csv"
    with Journal(out, Limits()) as journal:
        journal.add(work.key, grade_one(work, Limits()))
    assert journal.path == tmp_path / "grades.csv.part"
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-5])
    with Journal(out, Limits()) as journal:
        assert journal.find(work) is None
        journal.add(work.key, grade_one(work, Limits()))
    assert journal.path.read_bytes() == whole
    with Journal(out, Limits()) as journal:
        assert journal.find(work).report.results[0].status == "missing"
    with Journal(out, Limits(seconds=3.0)) as journal:
        assert journal.find(work) is None
