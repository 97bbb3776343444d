"""Network disks that know no locks: a file marks the folder as taken, and what a dead run left blocks nobody."""

import errno
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from minimixer.errors import RunError
from minimixer.train import PRESETS, Callback, fit, lock, report

QUICK = replace(PRESETS["digits"], max_steps=2, workers=1, log_every=1)


@pytest.fixture(autouse=True, params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def no_locks(request, monkeypatch):
    monkeypatch.setattr(report, "write", lambda run, best_logits: None)
    monkeypatch.setattr(lock, "_lock", lambda file: request.param)
    return os.strerror(request.param)


class Beside(Callback):
    def __init__(self, work):
        self.work = work

    def step(self, progress, loss, correct):
        self.work(progress.history.out)


def test_a_run_goes_on_and_says_what_keeps_others_out(no_locks, tmp_path, capsys):
    def second(out):
        assert (out / ".lease").is_file()
        with pytest.raises(RunError, match=r"\.lease says that process \d+ on .* is writing"):
            fit(replace(QUICK, out=out, resume=True))

    fit(replace(QUICK, out=tmp_path / "run"), [Beside(second)])
    assert f"has no locks ({no_locks}), so .lease marks" in capsys.readouterr().err
    assert not (tmp_path / "run" / ".lease").exists()
    fit(replace(QUICK, out=tmp_path / "run", resume=True, max_steps=3))


def test_the_lease_of_a_dead_run_on_this_machine_is_taken_over(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    fit(replace(QUICK, out=tmp_path / "run"))
    for pid in (dead.pid, os.getpid()):             # in containers every process has the same number
        (tmp_path / "run" / ".lease").write_text(json.dumps({"host": socket.gethostname(), "pid": pid}))
        fit(replace(QUICK, out=tmp_path / "run", resume=True))


@pytest.mark.parametrize("content", ['{"host": "elsewhere", "pid": 1}', "", "[]", '{"host": 1, "pid": "x"}'])
def test_any_other_lease_is_respected(content, tmp_path):
    run = fit(replace(QUICK, out=tmp_path / "run")).out
    (run / ".lease").write_text(content)
    with pytest.raises(RunError, match=r"if that process has ended, remove the file"):
        fit(replace(QUICK, out=run, resume=True))


def test_a_lease_that_is_anothers_now_ends_the_run(tmp_path):
    with pytest.raises(RunError, match="is no longer the folder of this run"):
        fit(replace(QUICK, out=tmp_path / "run"), [Beside(lambda out: (out / ".lease").write_text("{}"))])
    assert (tmp_path / "run" / ".lease").read_text() == "{}"


def test_a_lock_that_fails_for_another_reason_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_lock", lambda file: errno.EIO)
    with pytest.raises(RunError, match=r"cannot be locked \(Input/output error\)"):
        fit(replace(QUICK, out=tmp_path / "run"))
    assert lock._held == {}
