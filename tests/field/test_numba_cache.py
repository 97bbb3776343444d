"""The files that keep compiled loops can be damaged, missing or impossible to write: nothing but time is lost."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="Numba is not installed")

from numba import config

from minimixer.ops import loop_cache
from minimixer.ops.compile import compiled


def double(x, y):
    for i in range(x.size):
        y[i] = x[i] + x[i]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where Numba was told to keep what it compiles; nothing was said so far."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(loop_cache, "_said", set())
    return tmp_path / "cache"


def computes():
    """Compile, or read what was compiled, and compute; whether it was read."""
    loop, x = compiled(double), np.arange(5, dtype=np.float32)
    y = np.empty_like(x)
    loop(x, y)
    assert y.tolist() == (2 * x).tolist()
    return bool(loop.stats.cache_hits)


def files(folder, kind):
    return sorted(path for path in folder.rglob(f"*.{kind}"))


def test_what_is_whole_is_read_again(folder, capsys):
    assert not computes()
    assert computes()
    assert capsys.readouterr().err == ""


DAMAGE = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[:len(content) // 2],
    "one byte short": lambda content: content[:-1],
    "other bytes": lambda content: b"\x80garbage" * 40,
    "a flipped bit": lambda content: content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]}


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_said_once_and_written_again(kind, damage, folder, capsys):
    computes()
    for path in files(folder, kind):
        path.write_bytes(damage(path.read_bytes()))
    assert not computes()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"minimixer: compiled loops in {folder}")
    assert "are damaged" in line
    loop_cache._said.clear()
    assert computes()                                   # the next run finds it mended
    assert capsys.readouterr().err == ""


def test_a_folder_in_the_place_of_a_file(folder, capsys):
    computes()
    for path in files(folder, "nbi"):
        path.unlink()
        path.mkdir()
    assert not computes()
    assert not computes()
    assert 1 <= len(capsys.readouterr().err.splitlines()) <= 2


def test_no_room(folder, capsys, monkeypatch):
    def full(path, mode):
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(loop_cache.IndexDataCacheFile, "_open_for_write", lambda self, path: full(path, "wb"))
    assert not computes()
    assert not computes()
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device" in line
    assert "every run compiles them again" in line


def test_where_nothing_can_be_written_it_is_said_once(tmp_path, monkeypatch, folder, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(loop_cache, "places", lambda file: [tmp_path / "file" / "cache"])
    assert not computes()
    assert not computes()
    (line,) = capsys.readouterr().err.splitlines()
    assert "compiled loops cannot be kept on disk" in line


def test_another_place_is_said_when_it_is_new(tmp_path, monkeypatch, folder, capsys):
    (tmp_path / "file").write_text("")
    other = tmp_path / "other" / "ops"
    monkeypatch.setattr(loop_cache, "places", lambda file: [tmp_path / "file" / "cache", other])
    assert not computes()
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (f"minimixer: {tmp_path / 'file' / 'cache'} cannot be written, so compiled loops are kept in "
                    f"{other.parent}")
    loop_cache._said.clear()
    assert computes()
    assert capsys.readouterr().err == ""


def test_no_place_begins_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(config, "CACHE_DIR", "~/numba")
    assert next(iter(loop_cache.places("/package/compiled.py"))).is_relative_to(tmp_path / "home" / "numba")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)           # neither HOME nor a passwd entry
    monkeypatch.setattr(Path, "expanduser", lambda path: path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert [str(path) for path in loop_cache.places("/package/compiled.py") if str(path).startswith("~")] == []


@pytest.mark.slow
def test_a_run_with_a_damaged_cache_ends_with_the_same_bytes(tmp_path):
    def run(out):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        command = [sys.executable, "-m", "minimixer.train", "--max-steps", "4", "--workers", "1", "--no-blas-tune",
                   "--out", str(tmp_path / out)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200, check=True)
        return done.stderr.splitlines(), (tmp_path / out / "last.safetensors").read_bytes()

    said, expected = run("whole")
    assert said == []
    for path in files(tmp_path / "cache", "nb[ic]"):
        path.write_bytes(path.read_bytes()[:9])
    (said, damaged), (silent, mended) = run("damaged"), run("mended")
    assert len(said) == 1
    assert silent == []
    assert damaged == mended == expected
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("")                 # no folder can be made there
    said, elsewhere = run("elsewhere")
    assert len(said) <= 1
    assert elsewhere == expected
