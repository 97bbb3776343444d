"""``minimixer play``: which run, where the page goes, and what is never overwritten."""

import os
import shutil
import webbrowser
from dataclasses import replace

import pytest

from minimixer.train import PRESETS, fit
from tests.support.commands import run


@pytest.fixture
def opened(monkeypatch):
    """The addresses that a browser was asked to open."""
    found = []
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.BackgroundBrowser("firefox"))
    monkeypatch.setattr(webbrowser, "open", found.append)
    return found


@pytest.fixture
def copied(trained_run, tmp_path, monkeypatch):
    """A copy of a run, as runs/mine in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained_run, tmp_path / "runs" / "mine")
    return tmp_path / "runs" / "mine"


def test_the_newest_run_is_played_and_opened(copied, opened, capsys):
    old = shutil.copytree(copied, copied.parent / "old")
    for file in old.glob("*.safetensors"):
        os.utime(file, (1, 1))
    assert run("play") == 0
    assert "runs/mine (the newest run in runs/); another one: minimixer play RUN" in capsys.readouterr().out
    assert opened == [(copied / "play.html").resolve().as_uri()]
    assert "<title>mine " in (copied / "play.html").read_text()
    assert run("play", [old, "--no-open"]) == 0
    assert len(opened) == 1


@pytest.mark.slow
def test_a_page_may_be_written_again_and_goes_with_the_run(copied, opened):
    assert run("play", [copied, "--no-open"]) == run("play", [copied, "--no-open"]) == 0
    assert run("train", ["--max-steps", "2", "--workers", "1", "--overwrite", "--out", copied]) == 0
    assert not (copied / "play.html").exists()


def test_nothing_else_is_overwritten(copied, opened, capsys):
    (copied.parent / "thesis.html").write_text("years of work")
    assert run("play", [copied, "--out", copied.parent / "thesis.html"]) == 1
    assert "minimixer play did not write it, so it is kept" in capsys.readouterr().err
    assert (copied.parent / "thesis.html").read_text() == "years of work"
    assert run("play", [copied, "--out", copied]) == 2
    assert "is a folder: name a file" in capsys.readouterr().err
    assert run("play", [copied, "--out", copied.parent / "page.txt"]) == 2
    assert "expected a name that ends in .html" in capsys.readouterr().err
    assert opened == []


@pytest.mark.slow
def test_without_runs_the_included_model_is_played(tmp_path, monkeypatch, opened, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMIXER_DATA", str(tmp_path))
    assert run("play", ["--no-open"]) == 0
    said = capsys.readouterr().out
    assert "cifar10-micro (there is no run in runs/)" in said
    assert "Without test images (CIFAR-10 was not found" in said
    assert (tmp_path / "cifar10-micro.html").is_file()


def test_a_browser_in_the_terminal_is_not_opened(copied, monkeypatch, capsys):
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("w3m"))
    monkeypatch.setattr(webbrowser, "open", lambda address: pytest.fail("opened"))
    assert run("play", [copied]) == 0
    assert "Open it in any browser" in capsys.readouterr().out


@pytest.mark.slow
def test_other_models_are_refused(tmp_path, capsys):
    fit(replace(PRESETS["digits"], model="vit-pico", max_steps=2, workers=1, out=tmp_path / "vit"))
    assert run("play", [tmp_path / "vit", "--no-open"]) == 2
    assert "vit holds a VisionTransformer, and the page shows how a Mixer computes" in capsys.readouterr().err
    assert not (tmp_path / "vit" / "play.html").exists()


def test_a_run_that_is_not_there(capsys):
    assert run("play", ["gone", "--no-open"]) == 1
    assert "there is no run gone" in capsys.readouterr().err
