"""``minimixer lessons open`` where there is no browser, as root, on another machine."""

import os
import subprocess
import webbrowser

import pytest

from minimixer import cli
from minimixer.commands import lessons


@pytest.fixture
def started(monkeypatch):
    """The commands that were started; the first entry is what they return."""
    commands = [0]

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, commands[0])

    monkeypatch.setattr(lessons.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(webbrowser, "get", lambda: None)
    return commands


def test_options_reach_jupyter(started, tmp_path):
    assert cli.main(["lessons", "open", "02", "--folder", str(tmp_path), "--allow-root", "--no-browser",
                     "--ip", "0.0.0.0", "--port", "8899"]) == 0
    assert started[1][3:-1] == ["--no-browser", "--allow-root", "--ip=0.0.0.0", "--port=8899"]
    assert cli.main(["lessons", "open", "02", "--folder", str(tmp_path)]) == 0
    assert started[2][3:-1] == []
    for port in ("0", "65536", "x"):
        assert cli.main(["lessons", "open", "--folder", str(tmp_path), "--port", port]) == 2
    assert len(started) == 3


def test_without_a_browser_the_place_is_printed(started, tmp_path, monkeypatch, capsys):
    def none():
        raise webbrowser.Error("could not locate runnable browser")
    monkeypatch.setattr(webbrowser, "get", none)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lessons", "open", "02"]) == 0
    said = capsys.readouterr().out
    assert f"serves {tmp_path}/minimixer-lessons/02_" in said.replace(os.sep, "/")
    assert "open the address that it prints below" in said
    assert "--no-browser" in started[1]


def test_root_learns_which_option_is_missing(started, tmp_path, monkeypatch, capsys):
    started[0] = 1
    for user, options, hint in ((0, [], True), (0, ["--allow-root"], False), (1000, [], False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user, raising=False)
        assert cli.main(["lessons", "open", "--folder", str(tmp_path), *options]) == 1
        said = capsys.readouterr().err
        assert ("add --allow-root" in said) == hint
        assert f"the notebooks are in {tmp_path}" in said
