"""Files that are not what their names say: refused before they are read, or read as far as they can be."""

import json
import os
from dataclasses import replace

import pytest

from minimixer import files
from minimixer.errors import RunError
from minimixer.train import PRESETS, fit, report, resume
from minimixer.train.checkpoint import CheckpointError

QUICK = replace(PRESETS["digits"], max_steps=4, workers=1, log_every=1)
NEEDS_PIPES = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch):
    monkeypatch.setattr(report, "write", lambda run, best_logits: None)


def sparse(path, size=1 << 36):
    with open(path, "wb") as file:
        file.truncate(size)


PLANTED = [pytest.param(os.mkfifo, marks=NEEDS_PIPES, id="pipe") if hasattr(os, "mkfifo") else None,
           pytest.param(sparse, id="sparse"), pytest.param(os.mkdir, id="folder")]


@pytest.mark.parametrize("plant", [p for p in PLANTED if p])
@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "last.safetensors"])
def test_a_pipe_a_folder_or_a_hole_in_a_run_is_refused_unread(name, plant, tmp_path):
    run = fit(replace(QUICK, out=tmp_path / "run")).out
    (run / name).unlink()
    plant(run / name)
    with pytest.raises((RunError, CheckpointError), match=name):
        fit(replace(QUICK, out=run, resume=True))


def test_what_may_be_read(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(FileNotFoundError):
        files.check_regular(path)
    path.write_bytes(b"12345")
    files.check_regular(path, 5)
    with pytest.raises(files.FileRefusedError, match="has 5 bytes: expected at most 4"):
        files.check_regular(path, 4)
    with open(path, "wb") as file:                  # large, a tenth of it content
        file.write(bytes(10 << 20))
        file.truncate(100 << 20)
    files.check_regular(path)


def test_a_file_of_holes_is_seen_where_the_system_tells(tmp_path):
    sparse(tmp_path / "x", 1 << 30)
    with open(tmp_path / "x", "rb") as file:
        try:
            os.lseek(file.fileno(), 0, os.SEEK_DATA)
            pytest.skip("this file system does not say where holes are")
        except (OSError, AttributeError):
            pass
    with pytest.raises(files.FileRefusedError, match="nearly all of them holes"):
        files.check_regular(tmp_path / "x")


@pytest.mark.parametrize("content", ["a\nb", "a\r\nb", "a\rb"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_without_its_mark(content, encoding, tmp_path):
    (tmp_path / "x").write_bytes(content.encode(encoding))
    assert files.read_text(tmp_path / "x") == "a\nb"


@pytest.mark.parametrize("content", [b"\xe4", b"\xff\xfea", b"\xff"])
def test_text_that_is_none_is_refused(content, tmp_path):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(files.FileRefusedError, match="is not UTF-8 text"):
        files.read_text(tmp_path / "x")


BAD = [b"not json", b"[]", b"7", b'{"step": "two"}', b'{"step": 2, "train_loss": "low"}', b"\xff\xfe\xfa",
       b"[" * 100_000, b'{"epoch": 1}', b'{"step": true}', b'{"step": 2, "train_loss": NaN}']


@pytest.mark.parametrize("bad", BAD, ids=lambda line: line[:20].decode(errors="replace"))
def test_a_bad_line_of_metrics_is_kept_and_no_later_one_is_lost(bad, tmp_path, capsys):
    run = fit(replace(QUICK, out=tmp_path / "run")).out
    first, *others = (run / "metrics.jsonl").read_bytes().splitlines()
    (run / "metrics.jsonl").write_bytes(b"\n".join([first, bad, *others, b""]))
    history = fit(replace(QUICK, out=run, resume=True, max_steps=6))
    after = (run / "metrics.jsonl").read_bytes().splitlines()
    assert after[:2] == [first, bad]
    assert after[2:2 + len(others)] == others
    assert history.metrics == resume.read_metrics(run) == [json.loads(line) for line in [first, *after[2:]]]
    assert "line 2 cannot be read as metrics; kept, but not used" in capsys.readouterr().out


def test_a_line_that_was_cut_short_at_the_end_is_dropped(tmp_path):
    run = fit(replace(QUICK, out=tmp_path / "run")).out
    whole = (run / "metrics.jsonl").read_bytes()
    (run / "metrics.jsonl").write_bytes(whole + b'{"step": 5, "ep')
    fit(replace(QUICK, out=run, resume=True))
    assert (run / "metrics.jsonl").read_bytes() == whole
    (run / "metrics.jsonl").write_bytes(whole.rstrip(b"\n"))            # an editor took the line end away
    fit(replace(QUICK, out=run, resume=True))
    assert (run / "metrics.jsonl").read_bytes() == whole


def test_metrics_in_another_encoding_are_refused_and_kept(tmp_path):
    run = fit(replace(QUICK, out=tmp_path / "run")).out
    content = (run / "metrics.jsonl").read_text().encode("utf-16")
    (run / "metrics.jsonl").write_bytes(content)
    with pytest.raises(RunError, match="is UTF-16, expected UTF-8"):
        fit(replace(QUICK, out=run, resume=True))
    assert (run / "metrics.jsonl").read_bytes() == content
