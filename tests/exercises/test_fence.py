"""The fence is named first; without one, only trusted submissions are graded."""

import csv

from minimixer.cli import main
from minimixer.exercises import fence
from minimixer.exercises.fence import Fence
from tests.support.answers import source
from tests.support.tricks import TRICKS


def submit(folder, student, code):
    (folder / student).mkdir(parents=True)
    (folder / student / "ex01_unbroadcast.py").write_text(code)


def test_without_a_fence_the_submissions_must_be_trusted(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fence, "find", lambda: None)
    submit(tmp_path / "class", "ada", source("ex01"))
    submit(tmp_path / "class", "bob", TRICKS["library"][1])
    command = ["exercises", "grade", str(tmp_path / "class"), "--out", str(tmp_path / "grades.csv")]
    assert main(command) == 2
    assert "add --trust-submissions" in capsys.readouterr().err
    assert not (tmp_path / "grades.csv").exists()
    assert main([*command, "--trust-submissions"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("There is no fence here: only accidents are stopped")
    assert "Not their own work: bob, ex01" in said
    with (tmp_path / "grades.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [(row["student"], row["status"], row["points"]) for row in rows] == [("ada", "pass", "10"),
                                                                             ("bob", "not-own", "0")]


def test_a_fence_is_named_in_the_first_line(tmp_path, capsys, monkeypatch):
    if (found := fence.find()) is None:
        found = Fence("bubblewrap 1.2.3", "env")
        monkeypatch.setattr(Fence, "command", lambda self, private=(): [self.program])
        monkeypatch.setattr(fence, "find", lambda: found)
    submit(tmp_path / "class", "ada", source("ex01"))
    assert main(["exercises", "grade", str(tmp_path / "class"), "--out", str(tmp_path / "grades.csv")]) == 0
    assert capsys.readouterr().out.startswith(f"Answers run behind {found.name}: ")


def test_what_must_not_be_seen_is_hidden(tmp_path, monkeypatch):
    place = tmp_path / "packages" / "class"
    place.mkdir(parents=True)
    monkeypatch.setattr(fence, "python_folders", lambda: [str(tmp_path / "packages")])
    command = Fence("bubblewrap", "bwrap").command([str(place)])
    assert ["--tmpfs", str(place)] == command[command.index(str(place)) - 1:][:2]
    assert command.index("--ro-bind") < command.index(str(place))
    assert "--unshare-all" in command
