"""Commands that write files keep what they did not write themselves: they name it, and propose another name."""

import csv
import json
import os
import stat
from dataclasses import replace

import numpy as np
import pytest

from minimixer import nn, plots
from minimixer.bench import results
from minimixer.cli import main
from minimixer.commands import lessons, seeds
from minimixer.exercises import formats
from minimixer.exercises.definitions import load
from minimixer.exercises.graded import Graded
from minimixer.exercises.report import uniform_report
from minimixer.plots import style
from minimixer.train import PRESETS, fit
from minimixer.weights import is_export, save_official, save_timm
from tests.support.book import book

DESTRUCTIVE = ("--force", "--overwrite", "delete", "rm ")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fit(replace(PRESETS["digits"], max_steps=2, workers=1, out=tmp_path_factory.mktemp("runs") / "run")).out


def refused(capsys, path, *arguments, option="--out"):
    """The command is refused, names the file and another way, and the file is as it was."""
    before = os.readlink(path) if path.is_symlink() else path.read_bytes()
    assert main([*map(str, arguments)]) in (1, 2)
    said = capsys.readouterr().err
    assert str(path) in said
    assert f"with {option}" in said
    assert not any(word in said for word in DESTRUCTIVE)
    assert "Traceback" not in said
    assert before == (os.readlink(path) if path.is_symlink() else path.read_bytes())


@pytest.mark.parametrize("name", ["thesis.npz", "thesis.tex", "weights.safetensors", "link.npz"])
def test_export_replaces_exports_only(run, name, tmp_path, capsys):
    path = tmp_path / name
    if name == "link.npz":
        path.symlink_to("nowhere")
    elif name == "weights.safetensors":         # of a Mixer, but not written by export
        from safetensors.numpy import save_file
        save_file({"stem.proj.weight": np.zeros((3, 1, 2, 2), np.float32)}, path)
    else:
        path.write_text("years of work")
    refused(capsys, path, "export", run, "--format", "official", "--out", path)
    assert main(["export", str(run), "--format", "official", "--out", str(tmp_path / "new.npz")]) == 0
    assert main(["export", str(run), "--format", "timm", "--out", str(tmp_path / "new.npz")]) == 0     # its own


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors", "config.json", "metrics.jsonl", "report.md"])
def test_an_export_never_takes_the_name_of_a_file_of_the_run(run, name, capsys):
    refused(capsys, run / name, "export", run, "--format", "timm", "--out", run / name)


def test_nor_the_name_of_one_that_is_missing(run, tmp_path, capsys):
    (tmp_path / "config.json").write_bytes((run / "config.json").read_bytes())
    assert main(["export", str(run), "--format", "timm", "--out", str(tmp_path / "last.safetensors")]) == 1
    assert "name another file with --out" in capsys.readouterr().err
    assert not (tmp_path / "last.safetensors").exists()


@pytest.mark.parametrize(("save", "name"), [(save_official, "a.npz"), (save_timm, "a.safetensors")])
def test_weights_are_written_whole_with_the_umask_of_the_user_through_no_link(save, name, tmp_path):
    path, precious = tmp_path / name, tmp_path / "precious"
    precious.write_text("kept")
    path.symlink_to(precious)
    before = os.umask(0o027)
    try:
        save(nn.mixer("pico"), path)
    finally:
        os.umask(before)
    assert precious.read_text() == "kept"
    assert not path.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert is_export(path)
    again = tmp_path / f"again-{name}"
    save(nn.mixer("pico"), again)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("suffix", [".safetensors", ".json", ".md"])
def test_ship_replaces_shipments_only(run, suffix, tmp_path, capsys):
    path = tmp_path / f"digits-pico{suffix}"
    if suffix == ".safetensors":                # a run's checkpoint that was given this name
        path.write_bytes((run / "best.safetensors").read_bytes())
    else:
        path.write_text('{"name": "mine"}')
    refused(capsys, path, "ship", run, "--out", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    path.unlink()
    assert main(["ship", str(run), "--out", str(tmp_path)]) == 0
    assert main(["ship", str(run), "--out", str(tmp_path)]) == 0
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".md", ".safetensors"]


def test_lessons_lose_no_notebook(tmp_path, capsys):
    folder, precious = tmp_path / "my lessons", tmp_path / "precious"
    assert lessons.copy(folder)[1] == []
    mine, link, place = sorted(folder.iterdir())[:3]
    mine.write_text("my answers")
    precious.write_text("kept")
    link.unlink()
    link.symlink_to(precious)
    place.unlink()
    place.mkdir()
    assert main(["lessons", "copy", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "minimixer lessons copy" in said
    assert f"'{folder}-new'" in said
    assert not any(word in said for word in DESTRUCTIVE)
    assert mine.read_text() == "my answers"
    for _ in range(2):
        assert main(["lessons", "copy", str(folder), "--force"]) == 0
    assert "my answers" not in mine.read_text()
    assert mine.with_suffix(".yours-1.ipynb").read_text() == "my answers"
    assert precious.read_text() == "kept"
    assert place.is_file()
    mine.write_text("more answers")
    assert main(["lessons", "copy", str(folder), "--force"]) == 0
    assert mine.with_suffix(".yours-2.ipynb").read_text() == "more answers"
    assert mine.with_suffix(".yours-1.ipynb").read_text() == "my answers"


@pytest.mark.parametrize("name", ["seeds.json", "seeds.md"])
def test_seeds_replace_their_own_report_only_and_say_so_before_a_run(name, tmp_path, capsys):
    path = tmp_path / name
    path.write_text('{"years": "of work"}')
    refused(capsys, path, "seeds", "digits", "--seeds", "1", "--out", tmp_path)
    assert os.listdir(tmp_path) == [name]
    seeds.write(tmp_path / "new", rows := [{"seed": 1, "last_accuracy": 0.5, "best_accuracy": 0.5, "steps": 1}])
    seeds.write(tmp_path / "new", rows)
    seeds.check_ours(tmp_path / "new")


@pytest.mark.parametrize(("benchmark", "option"), [
    ("race", "--json"), ("race", "--markdown"), ("ladder", "--json"), ("resolution", "--json"),
    ("resolution", "--plot"), ("scaling", "--json"), ("augmentation", "--plot")])
def test_benchmarks_replace_their_own_files_only_and_say_so_before_they_measure(benchmark, option, tmp_path, capsys):
    path = tmp_path / "mine"
    path.write_text('["years of work"]')
    refused(capsys, path, "bench", benchmark, option, path, option=option)
    path.unlink()
    path.symlink_to("nowhere")
    refused(capsys, path, "bench", benchmark, option, path, option=option)


def test_what_benchmarks_wrote_they_replace(tmp_path):
    there = {"json": tmp_path / "a" / "x.json", "markdown": tmp_path / "b" / "x.md", "plot": tmp_path / "x.png"}
    for _ in range(2):
        results.check_results("race", **there)
        results.write_json(there["json"], {"machine": {}})
        results.write_markdown(there["markdown"], "race", "| a table |")
        style.save(style.figure(), there["plot"])


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".png"])
def test_experiments_replace_their_own_files_only_and_say_so_before_they_measure(suffix, tmp_path, capsys):
    path = tmp_path / f"cnn-identity-quick{suffix}"
    path.write_text('{"experiment": "mine"}')
    refused(capsys, path, "experiments", "cnn-identity", "--quick", "--out", tmp_path)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("make", [lambda path, mine: path.symlink_to(mine), lambda path, mine: os.link(mine, path)])
def test_a_plot_is_written_whole_and_through_no_link(make, tmp_path):
    (mine := tmp_path / "mine").write_text("years of work")
    make(tmp_path / "curves.png", mine)
    plots.curves([{"epoch": 1, "train_loss": 1.0}], tmp_path / "curves.png")
    assert mine.read_text() == "years of work"
    assert style.is_plot(tmp_path / "curves.png")
    assert not style.is_plot(mine)


def test_predict_draws_over_drawings_only(tmp_path, capsys):
    path = tmp_path / "seen.png"
    path.write_text("years of work")
    refused(capsys, path, "predict", "--example", "--seen", path, option="--seen")
    path.unlink()
    for _ in range(2):
        assert main(["predict", "--example", "--seen", str(path)]) == 0


def test_an_exercise_is_not_begun_through_a_link(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ex01_unbroadcast.py").symlink_to(tmp_path / "elsewhere")
    assert main(["exercises", "start", "ex01"]) == 1
    assert "is here already, and is kept" in capsys.readouterr().err
    assert not (tmp_path / "elsewhere").exists()


def graded(*students):
    return book(*(Graded(student, uniform_report(load("ex01"), "missing")) for student in students))


@pytest.mark.parametrize(("how", "name"), [("csv", "grades.csv"), ("csv", "grades.seconds.csv"),
                                           ("nbgrader", "grades.csv"), ("gradescope", "grades.json")])
def test_grades_replace_grades_only(how, name, tmp_path, capsys):
    place = tmp_path / "class" / "ann"
    place.mkdir(parents=True)
    (place / "ex01_broadcasting.py").write_text("")
    out = tmp_path / ("grades.json" if how == "gradescope" else "grades.csv")
    formats.WRITERS[how](graded("ann"), out)
    formats.check_ours(["ann"], out, how, None)
    path = tmp_path / name
    path.write_text("student,final grade\nann,1.0\n")
    refused(capsys, path, "exercises", "grade", place if how == "gradescope" else place.parent, "--out", out,
            "--format", how)


def test_a_table_that_nbgrader_exported_is_not_ours(tmp_path):
    out = tmp_path / "grades.csv"
    formats.write_nbgrader(graded("ann", "bob"), out)
    formats.check_ours(["ann"], out, "nbgrader", None)
    rows = list(csv.reader(out.read_text("utf-8-sig").splitlines()))
    rows[1][5] = "Ann"
    out.write_text("\n".join(map(",".join, rows)) + "\n")
    with pytest.raises(ValueError, match="did not write it"):
        formats.check_ours(["ann"], out, "nbgrader", None)


def test_feedback_replaces_feedback_only(tmp_path):
    formats.write_pages(graded("ann", "bob"), tmp_path, "")
    formats.check_ours(["ann", "bob"], tmp_path / "grades.csv", "csv", tmp_path)
    (tmp_path / "bob.html").write_text("<html>Bob's home page</html>")
    with pytest.raises(ValueError, match=r"bob\.html exists, .* name another place with --feedback"):
        formats.check_ours(["ann", "bob"], tmp_path / "grades.csv", "csv", tmp_path)


def test_an_import_that_was_killed_does_not_block_the_next_and_others_are_kept(tmp_path, capsys):
    npz, out = tmp_path / "a.npz", tmp_path / "out"
    save_official(nn.mixer("pico"), npz)
    for left in ({"config.json.0123abcd.tmp": "{"}, {"config.json": '{"import": {}}'},
                 {"config.json": '{"import": {}}', "best.safetensors.89abcdef.tmp": "x"}):
        out.mkdir()
        for name, text in left.items():
            (out / name).write_text(text)
        assert main(["import", str(npz), "--out", str(out)]) == 0
        assert sorted(p.name for p in out.iterdir()) == ["best.safetensors", "config.json"]
        for path in out.iterdir():
            path.unlink()
        out.rmdir()
    capsys.readouterr()
    for name, text in (("notes.tmp", "mine"), ("config.json", json.dumps({"config": {}})), ("config.json", "[" * 9999)):
        out.mkdir()
        (out / name).write_text(text)
        assert main(["import", str(npz), "--out", str(out)]) == 1
        assert "name another one with --out" in capsys.readouterr().err
        assert [(p.name, p.read_text()) for p in out.iterdir()] == [(name, text)]
        (out / name).unlink()
        out.rmdir()
