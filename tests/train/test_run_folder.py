"""What becomes of a run folder: nothing in it is lost before a run can begin."""

import shutil
from dataclasses import replace

import pytest

from minimixer.errors import UsageError
from minimixer.train import PRESETS, Callback, RunError, fit, report
from minimixer.train.checkpoint import CheckpointError
from tests.support.commands import train as main

QUICK = replace(PRESETS["digits"], max_steps=1, workers=1)


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch):
    monkeypatch.setattr(report, "write", lambda run, best_logits: None)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("wrong", [{"batch_size": 5000}, {"patch_size": 3}, {"data": "cifar10", "data_dir": "nowhere"},
                                   {"init_from": "nowhere"}])
def test_what_cannot_begin_overwrites_nothing(wrong, tmp_path):
    run = fit(replace(QUICK, out=tmp_path / "run")).out
    before = contents(run)
    with pytest.raises(Exception, match=r"expected|not found|do not tile|there is no run"):
        fit(replace(QUICK, out=run, overwrite=True, **wrong))
    assert contents(run) == before


def test_a_run_may_overwrite_the_one_that_it_starts_from(tmp_path):
    run = fit(replace(QUICK, out=tmp_path / "run")).out
    (run / "curves.png").write_text("")
    history = fit(replace(QUICK, out=run, init_from=run, max_steps=2, overwrite=True))
    assert history.metrics[-1]["step"] == 2
    assert not (run / "curves.png").exists()


def test_a_folder_of_runs_is_not_overwritten(tmp_path):
    fit(replace(QUICK, out=tmp_path / "runs" / "a"))
    before = contents(tmp_path / "runs")
    with pytest.raises(RunError, match=r"runs is a folder of runs \(a\), .* name one of them with --out"):
        fit(replace(QUICK, out=tmp_path / "runs", overwrite=True))
    assert before.items() <= contents(tmp_path / "runs").items()


def test_a_folder_that_the_user_made_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(UsageError, match="do not tile"):
        fit(replace(QUICK, out=tmp_path / "mine", patch_size=3))
    assert (tmp_path / "mine").is_dir()


def test_resume_and_overwrite_exclude_each_other(tmp_path, capsys):
    assert main(["--resume", "--overwrite", "--out", str(tmp_path)]) == 2
    assert "expected no --overwrite beside it" in capsys.readouterr().err


@pytest.mark.parametrize("log_every", [1, 100])                 # noticed by the metrics, and by the checkpoint
def test_a_folder_that_is_deleted_during_the_run_is_said(log_every, tmp_path):
    class Deletes(Callback):
        def step(self, progress, loss, correct):
            shutil.rmtree(progress.history.out)
            progress.receive(2)

    with pytest.raises(CheckpointError, match="its folder is gone, and the checkpoints in it"):
        fit(replace(QUICK, out=tmp_path / "run", max_steps=5, log_every=log_every), callbacks=[Deletes()])
