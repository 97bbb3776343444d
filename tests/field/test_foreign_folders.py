"""Folders that are not a run's: nothing in them is deleted, changed or waited for."""

import os
from dataclasses import replace

import pytest

from minimixer import files, owned
from minimixer.errors import RunError, UsageError
from minimixer.train import PRESETS, Callback, fit, load_run, loop, report
from minimixer.train.checkpoint import CheckpointError
from minimixer.train.config import TrainConfig
from tests.support.commands import train as main

QUICK = replace(PRESETS["digits"], max_steps=2, workers=1, log_every=1)


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch):
    monkeypatch.setattr(report, "write", lambda run, best_logits: None)


def contents(folder):
    return {path.relative_to(folder): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def own_project(folder):
    (folder / "thesis").mkdir(parents=True)
    (folder / "thesis" / "thesis.tex").write_text("years of work")
    (folder / "notes.txt").write_text("ideas")


def web_project(folder):
    own_project(folder)
    (folder / "config.json").write_text('{"name": "not a run"}')


@pytest.mark.parametrize("make", [own_project, web_project])
@pytest.mark.parametrize("more", [[], ["--overwrite"], ["--resume"]])
def test_a_folder_of_the_users_stays_as_it_is(make, more, tmp_path, capsys):
    make(tmp_path / "mine")
    before = contents(tmp_path)
    assert main(["--max-steps", "1", "--out", str(tmp_path / "mine"), *more]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--overwrite" not in error
    assert contents(tmp_path) == before             # not even a lock was left


@pytest.mark.parametrize("foreign", ["thesis.tex", "last.safetensors.bak", "data/labels.csv", "best.d/x", "a.tmp"])
def test_what_minimixer_did_not_write_is_named_and_nothing_is_deleted(foreign, tmp_path):
    run = fit(replace(QUICK, out=tmp_path / "run")).out
    (run / foreign).parent.mkdir(exist_ok=True)
    (run / foreign).write_text("mine")
    before = contents(run)
    with pytest.raises(RunError, match=rf"holds {foreign.split('/')[0]}, not written by minimixer.*another folder"):
        fit(replace(QUICK, out=run, overwrite=True))
    assert contents(run) == before


def test_a_link_in_a_run_folder_is_removed_and_what_it_leads_to_stays(tmp_path):
    run = fit(replace(QUICK, out=tmp_path / "run")).out
    (tmp_path / "precious").write_text("mine")
    (run / "report.md").symlink_to(tmp_path / "precious")
    fit(replace(QUICK, out=run, overwrite=True))
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (run / "report.md").is_symlink()


def test_a_folder_is_emptied_only_with_proof(tmp_path):
    own_project(tmp_path / "mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for folder in ("mine", "link", "nowhere"):
        with pytest.raises(files.FileRefusedError, match="name another folder"):
            owned.remove_owned(tmp_path / folder, ["*"])
    owned.remove_owned(tmp_path / "mine" / "thesis", ["*.tex"], proof=lambda folder: True)
    assert os.listdir(tmp_path / "mine" / "thesis") == []


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("nowhere"), lambda path: path.write_text("a file")])
def test_runs_that_is_no_folder_is_one_sentence_not_an_endless_loop(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "runs")
    with pytest.raises(RunError, match=r"runs is no folder .* name a folder with --out"):
        fit(QUICK)


def test_numbers_of_runs_that_are_taken_by_anything_are_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "digits-pico-001").symlink_to("nowhere")
    (tmp_path / "runs" / "digits-pico-002").write_text("a file")
    assert fit(QUICK).out.name == "digits-pico-003"


def test_a_folder_below_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot be made .*: choose another one with --out"):
        fit(replace(QUICK, out=tmp_path / "file" / "run"))


class Meanwhile(Callback):
    """Does something to the run's folder after the first step."""

    def __init__(self, work):
        self.work = work

    def step(self, progress, loss, correct):
        if progress.step == 1:
            self.work(progress.history.out)


def moved_and_begun_anew(out):
    out.rename(out.with_name("moved"))
    fit(replace(QUICK, out=out, seed=1))


def deleted_and_begun_anew(out):
    owned.remove_owned(out, ["*", ".*"])
    out.rmdir()
    fit(replace(QUICK, out=out, seed=1))


def replaced(out):
    out.rename(out.with_name("moved"))
    out.mkdir()


@pytest.mark.parametrize("work", [moved_and_begun_anew, deleted_and_begun_anew, replaced])
def test_two_runs_in_one_name_are_never_mixed(work, tmp_path):
    out, seen = tmp_path / "run", {}
    with pytest.raises(RunError, match="is no longer the folder of this run"):
        fit(replace(QUICK, out=out, max_steps=6), [Meanwhile(lambda out: (work(out), seen.update(contents(out))))])
    assert contents(out) == seen                    # the other's, to the byte


def test_a_lock_that_somebody_cleaned_up_does_not_end_the_run(tmp_path):
    run = fit(replace(QUICK, out=tmp_path / "run"), [Meanwhile(lambda out: (out / ".lock").unlink())])
    assert run.metrics[-1]["step"] == 2


def test_a_planted_lock_is_not_followed(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "target")
    with pytest.raises(RunError, match="cannot be opened"):
        fit(replace(QUICK, out=tmp_path / "run"))
    assert not (tmp_path / "target").exists()


def test_an_overwrite_that_is_cut_off_ends_as_the_new_run(tmp_path, monkeypatch):
    out = tmp_path / "run"
    fit(replace(QUICK, out=out, max_steps=4))
    new = replace(QUICK, out=out, seed=5, max_steps=3)
    with monkeypatch.context() as patch:
        patch.setattr(owned, "remove_owned", lambda *_, **__: (_ for _ in ()).throw(SystemError("the power is gone")))
        with pytest.raises(SystemError):
            fit(replace(new, overwrite=True))
    assert fit(replace(new, resume=True)).metrics[-1]["step"] == 3
    fit(replace(new, out=tmp_path / "untouched"))
    for name in ("last.safetensors", "best.safetensors"):
        assert (out / name).read_bytes() == (tmp_path / "untouched" / name).read_bytes()


def test_a_tilde_is_the_home_folder_wherever_it_stands(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    config = TrainConfig(data="cifar10", data_dir="~/a", init_from="~/b", out="~/c")
    assert [config.data_dir, config.init_from, config.out] == [tmp_path / name for name in "abc"]
    (tmp_path / "run.toml").write_text('out = "~/run"\nmax_steps = 1\nworkers = 1\n')
    assert main(["--config", "run.toml"]) == 0
    assert main(["--config", "run.toml", "--resume"]) == 0
    assert main(["--max-steps", "1", "--workers", "1", "--out=~/other"]) == 0
    assert load_run("~/run").path.parent == tmp_path / "run"
    assert sorted(os.listdir(tmp_path)) == ["other", "run", "run.toml"]


def test_without_a_home_folder_a_tilde_is_refused_and_data_are_found(tmp_path, monkeypatch):
    from minimixer.data import DataError, known
    monkeypatch.setattr(os.path, "expanduser", os.fspath)
    with pytest.raises(UsageError, match="no home folder is known: set HOME"):
        files.expand("~/run")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIMIXER_CACHE", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(DataError, match="was not found in data"):
        known.locate("cifar10")
    (tmp_path / "data_batch_1.bin").write_bytes(b"")
    assert known.locate("cifar10", tmp_path) == tmp_path


def test_estimates_ask_for_the_configuration_too(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(RunError, match=r"has no config.json"):
        loop.estimate(replace(QUICK, out=tmp_path / "run", resume=True))
    with pytest.raises(CheckpointError, match="not a run folder"):
        load_run(tmp_path / "run")
