import os
import re
import subprocess
import sys

import pytest

from minimixer.cli import COMMANDS, main
from minimixer.version import __version__

SUBCOMMANDS = {"data": ["list", "download", "verify", "path", "info"], "lessons": ["list", "copy", "open"],
               "exercises": ["list", "start", "check", "hint", "grade"]}


@pytest.mark.parametrize("command", [*COMMANDS, *(f"{name} {second}" for name, seconds in SUBCOMMANDS.items()
                                                  for second in seconds)])
def test_every_command_has_help_that_fits_80_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*command.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: minimixer {command}")
    assert "\x1b" not in text                                   # no colors where there is no terminal
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_command_itself_names_its_commands(arguments, capsys):
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert re.findall(r"^  (\w+) +\w", text, re.MULTILINE) == list(COMMANDS)
    assert max(map(len, text.splitlines())) <= 80


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"minimixer {__version__}\n"


@pytest.mark.parametrize(("typed", "message"), [
    ("trian", "there is no command 'trian'; did you mean 'train'?"), ("evaluate", "did you mean 'eval'?"),
    ("xyz", "expected one of train, seeds, eval, predict, play, inspect, import, export, ship, data, bench, "
            "experiments, lessons, exercises, doctor")])
def test_an_unknown_command_names_the_nearest(typed, message, capsys):
    assert main([typed]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["eval", "predict", "inspect"])
def test_a_run_that_is_not_there_is_one_sentence(command, tmp_path, capsys):
    code = main([command, str(tmp_path / "none"), *(["x.png"] if command == "predict" else [])])
    out, err = capsys.readouterr()
    assert code in (1, 2)
    assert out == ""
    assert err.startswith(f"minimixer {command}: there is no ")
    assert err.count("\n") == 1


def test_the_package_runs_as_the_command():
    for arguments, code in ((["--version"], 0), (["nothing"], 2)):
        result = subprocess.run([sys.executable, "-m", "minimixer", *arguments], capture_output=True, text=True)
        assert result.returncode == code
    result = subprocess.run([sys.executable, "-m", "minimixer", "inspect", "pico"], capture_output=True)
    assert result.returncode == 0
    assert "swapaxes               (B, C=64, S=64)" in result.stdout.decode()


def test_a_command_needs_no_output():
    done = subprocess.run(f"exec '{sys.executable}' -m minimixer data list >&-", shell=True, stderr=subprocess.PIPE,
                          text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])               # noticed at the end, and at the first line
def test_a_reader_that_has_seen_enough_ends_a_command_in_silence(unbuffered):
    with subprocess.Popen([sys.executable, "-m", "minimixer", "inspect", "pico"], text=True,
                          env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        command.stdout.close()
        assert (command.stderr.read(), command.wait(timeout=60)) == ("", 1)
