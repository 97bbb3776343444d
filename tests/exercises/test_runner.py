"""Submissions in a process of their own: answers, and things that are none."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from minimixer.exercises import processes, runner
from minimixer.exercises.here import Here
from minimixer.exercises.runner import CheckerError, Limits, check_file
from tests.support.answers import load, mutants, names, source, student_version
from tests.support.hostile import HOSTILE

QUICK = Limits(seconds=3.0, memory=1 << 29)        # what ends by itself has time, on a busy machine too
slow_to_end = {"sleeps": Limits(seconds=0.7), "endless": Limits(seconds=1.0)}


def write(folder, code, name="ex01_unbroadcast.py"):
    path = folder / name
    path.write_bytes(code if isinstance(code, bytes) else code.encode())
    return path


def statuses(run):
    return [result.status for result in run.report.results]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every right answer and every hostile submission, side by side."""
    def one(name):
        folder = tmp_path_factory.mktemp(name)
        precious = folder / "precious.txt"
        precious.write_text("all grades")
        if name not in HOSTILE:
            return check_file(name, write(folder, source(name), load(name).filename)), precious
        code, _ = HOSTILE[name]
        if isinstance(code, str):
            code = code.replace("PRECIOUS", repr(str(precious)))
        return check_file("ex01", write(folder, code), slow_to_end.get(name, QUICK)), precious

    tmp_path_factory.getbasetemp()          # once, before threads ask for it
    work = [*names(), *HOSTILE]
    with ThreadPoolExecutor(3) as pool:
        return dict(zip(work, pool.map(one, work), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_right_answers_pass_in_time(name, runs):
    run, _ = runs[name]
    assert run.report.ok, str(run.report)
    assert run.seconds < 10     # alone it is 0.6 s: tests/support/classroom.py measures


def test_a_stub_and_a_wrong_answer_are_told_apart(tmp_path):
    assert set(statuses(check_file("ex06", write(tmp_path, student_version("ex06"), "ex06.py")))) == {"not-started"}
    mutant = next(m for m in mutants() if m.path.stem == "one_term")
    run = check_file("ex06", write(tmp_path, mutant.code, "ex06.py"))
    assert statuses(run) == ["pass", "fail"]
    assert run.report.results[1].diagnosis.id == "first-term-only"
    assert run.report.exit_code == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_submissions_get_a_status_and_do_no_harm(name, runs):
    run, precious = runs[name]
    assert set(statuses(run)) == {HOSTILE[name][1]}
    assert not run.report.ok
    assert precious.read_text() == "all grades"
    assert len(run.printed) < 5000
    assert len(str(run.report)) < 3000


@pytest.mark.slow
def test_what_was_refused_is_said(runs):
    """A refusal is not hidden by `except Exception`, and says what was refused."""
    assert "changes or deletes" in " ".join(str(runs["deletes_quietly"][0].report).split())
    assert "starts another process" in " ".join(str(runs["fork_bomb"][0].report).split())
    assert "cut off" in runs["loud"][0].printed


def test_the_line_of_an_error_is_named(tmp_path):
    code = source("ex01").replace("    added = gy.ndim - len(shape)\n", "    added = gy.dimensions - len(shape)\n")
    line = next(n for n, text in enumerate(code.splitlines(), 1) if "dimensions" in text)
    said = " ".join(str(check_file("ex01", write(tmp_path, code)).report).split())
    assert f"in line {line}" in said
    assert "has no attribute 'dimensions'" in said
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="the processes are found in /proc")
@pytest.mark.parametrize("swept", [True, False])
def test_processes_that_leave_the_group_are_ended_too(swept, monkeypatch):
    token = secrets.token_hex(16)
    process = subprocess.Popen(["sh", "-c", "setsid sleep 600 & echo started; sleep 600"], start_new_session=True,
                               env={"PATH": os.environ["PATH"], processes.MARK: token}, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"started\n"
    time.sleep(0.1)
    if not swept:       # the negative control: without the sweep it lives on
        monkeypatch.setattr(processes, "running", list)
    processes.end(process, token)
    process.stdout.close()
    monkeypatch.undo()
    left = [pid for pid in processes.running() if f"{processes.MARK}={token}".encode() in processes.environment(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert bool(left) != swept


def test_scratch_folders_of_dead_graders_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine = Path(processes.scratch())
    dead = subprocess.Popen(["true"])
    dead.wait()
    theirs = tmp_path / f"{processes.PREFIX}{dead.pid}-abc"
    (theirs / "deep").mkdir(parents=True)
    (theirs / "deep").chmod(0)
    other = tmp_path / "minimixer-runs"
    other.mkdir()
    processes.sweep()
    assert sorted(tmp_path.iterdir()) == sorted([mine, other])
    processes.discard(str(mine))


def test_the_worker_sees_little_of_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_TOKEN", "secret")
    run = check_file("ex01", write(tmp_path, "import os\nprint(sorted(os.environ))\nraise SystemExit\n"))
    assert "COURSE_TOKEN" not in run.printed
    assert processes.MARK in run.printed


def test_a_missing_file_is_an_error(tmp_path):
    run = check_file("ex01", tmp_path / "ex01.py")
    assert statuses(run) == ["error"]
    assert "No such file" in str(run.report)


@pytest.mark.slow
def test_an_error_in_one_task_leaves_the_other_its_points(tmp_path):
    code = source("ex04") + "\nLinear.forward = staticmethod(lambda x, weight, bias: exec('while True: pass'))\n"
    run = check_file("ex04", write(tmp_path, code, "ex04.py"), QUICK)
    assert statuses(run) == ["timeout", "timeout"]
    assert [result.diagnosis.id for result in run.report.results] == ["timeout", "not-tried"]
    assert "Linear.backward: not tried" in str(run.report)
    code = source("ex04") + "\nLinear.backward = staticmethod(lambda gy, x, weight: exec('while True: pass'))\n"
    assert statuses(check_file("ex04", write(tmp_path, code, "ex04.py"), QUICK)) == ["pass", "timeout"]


def test_notebooks_are_checked_cell_by_cell(tmp_path):
    cells = [{"cell_type": "markdown", "source": ["# words"]},
             {"cell_type": "code", "source": "%matplotlib inline\n!ls\n"},
             {"cell_type": "code", "source": source("ex01").splitlines(keepends=True)},
             {"cell_type": "code", "source": "import minimixer as mm\nmm.exercises.check('ex01', unbroadcast)"}]
    path = write(tmp_path, json.dumps({"cells": cells}), "ex01_unbroadcast.ipynb")
    assert check_file("ex01", path).report.ok
    cells[2]["source"] = "1 / 0"
    said = " ".join(str(check_file("ex01", write(tmp_path, json.dumps({"cells": cells}), "ex01.ipynb")).report).split())
    assert "in line 1 of code cell 2" in said
    assert "not a notebook" in str(check_file("ex01", write(tmp_path, "[]", "ex01.ipynb")).report)


def test_chain_goes_on_through_all_earlier_parts(tmp_path):
    files = {}
    for name in ("ex04", "ex05", "ex06", "ex08"):
        said = f"\nprint('own {name}')\n" if name != "ex04" else '''
own = Linear.forward


def forward(x, weight, bias):
    print("own Linear runs")
    return own(x, weight, bias)


Linear.forward = staticmethod(forward)
'''
        files[name] = write(tmp_path, source(name) + said, load(name).filename)
    run = check_file("ex09", write(tmp_path, source("ex09"), "ex09_mixer_block.py"), earlier=files)
    assert run.report.ok, str(run.report)
    assert all(f"own {name}" in run.printed for name in ("ex05", "ex06", "ex08"))
    assert "own Linear runs" in run.printed         # within the student's own TokenMixing


def test_chain_uses_the_students_own_parts(tmp_path):
    own = write(tmp_path, source("ex04") + "\nprint('my own Linear')\n", "ex04_linear.py")
    path = write(tmp_path, source("ex08"), "ex08_token_mixing.py")
    gelu = write(tmp_path, source("ex05"), "ex05_gelu.py")
    run = check_file("ex08", path, earlier={"ex04": own, "ex05": gelu})
    assert run.report.ok, str(run.report)
    assert "my own Linear" in run.printed
    write(tmp_path, source("ex04").replace("x @ weight + bias", "x @ weight - bias"), "ex04_linear.py")
    assert not check_file("ex08", path, earlier={"ex04": own, "ex05": gelu}).report.ok


def test_without_limits_the_same_is_said(tmp_path, monkeypatch):
    """What Windows gets: the same checks, in this process."""
    mutant = next(m for m in mutants() if m.path.stem == "one_term")
    path = write(tmp_path, mutant.code, "ex06.py")
    apart = check_file("ex06", path)
    monkeypatch.setattr(runner, "Process", Here)
    here = check_file("ex06", path)
    assert [r.as_json() for r in here.report.results] == [r.as_json() for r in apart.report.results]
    broken = check_file("ex06", write(tmp_path, "1 / 0", "ex06.py"))
    assert set(statuses(broken)) == {"error"}


def test_a_checker_that_cannot_start_is_not_the_students_fault(tmp_path, monkeypatch):
    path = tmp_path / "ex01_unbroadcast.py"
    path.write_text(source("ex01"))
    (tmp_path / "numpy.py").write_text("raise ImportError('no numpy here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(CheckerError, match=r"the checker could not start \(.*no numpy here.*so nothing was checked"):
        check_file("ex01", path)
