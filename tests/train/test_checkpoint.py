"""Checkpoints, and every fault of a file that a user may meet: one sentence, and nothing lost."""

import contextlib
import errno
import functools
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minimixer import files, nn, optim, owned
from minimixer.train import checkpoint
from minimixer.train.checkpoint import CheckpointError

METADATA = {"step": 7, "mean": [0.25, 1e-9], "class_names": ("cat", "dög"), "best": float("nan")}


def small_model(seed=0, **changes):
    sizes = {"image_size": 4, "patch_size": 2, "in_channels": 1, "num_classes": 3, "hidden_dim": 4, "num_blocks": 1,
             "tokens_mlp_dim": 3, "channels_mlp_dim": 5}
    return nn.MlpMixer(nn.MixerConfig(**(sizes | changes)), seed)


def trained(model, kind=optim.AdamW, steps=2):
    rng = np.random.default_rng(0)
    optimizer = kind(model.parameters(), 0.1)
    for _ in range(steps):
        optimizer.step([rng.standard_normal(p.shape).astype(p.dtype) for p in model.parameters()])
    return optimizer


def same(one, other):
    """Whether two dicts of arrays hold the same bytes under the same names."""
    return one.keys() == other.keys() and all(
        a.dtype == other[n].dtype and a.shape == other[n].shape and a.tobytes() == other[n].tobytes()
        for n, a in one.items())


@functools.cache
def small_checkpoint():
    """The bytes of a whole checkpoint: weights, AdamW's arrays, an average of the weights, metadata."""
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        path, model = Path(folder) / "x.safetensors", small_model()
        checkpoint.save(path, model, trained(model), METADATA, {"ema": model.state_dict()})
        return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    """A good checkpoint in a folder of its own."""
    path = tmp_path / "run" / "last.safetensors"
    path.parent.mkdir()
    path.write_bytes(small_checkpoint())
    return path


def one_sentence(caught, path):
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert len(text.replace(str(path), "")) < 300
    return text


# What is written and read back.

@pytest.mark.parametrize("kind", [optim.AdamW, optim.SGD])
def test_everything_comes_back(kind, tmp_path):
    model = small_model()
    optimizer, path = trained(model, kind), tmp_path / "x.safetensors"
    average = {name: array / 2 for name, array in model.state_dict().items()}
    checkpoint.save(path, model, optimizer, METADATA, {"ema": average})
    arrays, metadata = checkpoint.read(path)
    assert same(checkpoint.members(arrays, "model"), model.state_dict())
    assert same(checkpoint.members(arrays, "ema"), average)
    assert metadata["class_names"] == ["cat", "dög"]
    assert np.isnan(metadata["best"])
    other = small_model(seed=1)
    fresh = kind(other.parameters(), 0.1)
    assert checkpoint.load(path, other, fresh)["step"] == 7
    assert same(other.state_dict(), model.state_dict())
    assert fresh.step_count == 2
    for what, remembered in optimizer.state.items():
        assert all(np.array_equal(a, b) for a, b in zip(fresh.state[what], remembered, strict=True))


def test_equal_content_gives_equal_bytes(path):
    contents = set()
    for metadata in ({"b": 1, "a": {10: 0, 9: 0}}, {"a": {9: 0, 10: 0}, "b": 1}):
        model = small_model()
        checkpoint.save(path, model, trained(model), metadata, {"ema": model.state_dict()})
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert checkpoint.read(path)[1]["a"] == {"10": 0, "9": 0}


def test_arrays_in_any_order_of_memory_come_back(path, rng):
    odd = {"fortran": np.asfortranarray(rng.random((3, 4))), "strided": rng.random((6, 4))[::2, ::-1],
           "number": np.array(3.0), "none": np.zeros((0, 2)), "flags": np.array([True, False])}
    checkpoint.save(path, small_model(), None, {}, {"odd": odd})
    back = checkpoint.members(checkpoint.read(path)[0], "odd")
    assert same(back, {name: np.asarray(array, order="C") for name, array in odd.items()})


@pytest.mark.parametrize("name", ["model", "optim", "ema.fast"])
def test_extra_arrays_cannot_hide_the_others(path, name):
    with pytest.raises(ValueError, match=f"cannot be called '{name}'"):
        checkpoint.save(path, small_model(), None, {}, {name: {}})
    assert path.read_bytes() == small_checkpoint()


# Files that are not, or no longer, what they were.

def header(content):
    return struct.unpack("<Q", content[:8])[0] + 8


PLACES = {"nothing": 0, "in the length": 5, "after the length": 8, "in the header": 300,
          "after the header": header(small_checkpoint()), "one array": header(small_checkpoint()) + 40,
          "the last byte": len(small_checkpoint()) - 1}


@pytest.mark.parametrize("keep", PLACES.values(), ids=PLACES)
def test_truncated(path, keep):
    path.write_bytes(small_checkpoint()[:keep])
    with pytest.raises(CheckpointError, match=r"not a whole minimixer checkpoint.*train anew") as caught:
        checkpoint.read(path)
    one_sentence(caught, path)


def test_extra_bytes(path):
    path.write_bytes(small_checkpoint() + b"\0")
    with pytest.raises(CheckpointError, match="not a whole minimixer checkpoint"):
        checkpoint.read(path)


@settings(max_examples=300, deadline=None)
@given(bit=st.integers(0, 8 * len(small_checkpoint()) - 1))
@example(bit=8 * len(small_checkpoint()) - 1)           # the sign of the last weight
def test_a_flipped_bit_never_gives_other_numbers(bit, tmp_path_factory):
    path = tmp_path_factory.mktemp("flip") / "last.safetensors"
    content = bytearray(small_checkpoint())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    path.with_name("whole").write_bytes(small_checkpoint())
    expected, whole = checkpoint.read(path.with_name("whole"))
    with contextlib.suppress(CheckpointError):
        arrays, metadata = checkpoint.read(path)
        assert same(arrays, expected)
        assert str(metadata) == str(whole)


def test_the_digest_is_what_notices(path, monkeypatch):
    """The negative control: safetensors alone reads the flipped bit as another weight."""
    content = bytearray(small_checkpoint())
    content[-1] ^= 128
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="its content does not match its digest") as caught:
        checkpoint.read(path)
    one_sentence(caught, path)
    said = re.search(rb"crc32:[0-9a-f]{8}", content)[0].decode()
    monkeypatch.setattr(checkpoint, "_digest", lambda arrays, metadata: said)
    assert checkpoint.read(path)


def file_of(entries, data=b"", minimixer=None):
    """A safetensors file with any header."""
    entries = entries | ({} if minimixer is None else {"__metadata__": {"minimixer": minimixer}})
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


def array_of(dtype, shape, size):
    return {"model.x": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}


NOT_CHECKPOINTS = {
    "text": b"These are no weights.\n" * 100,
    "zip": b"PK\x03\x04" + bytes(100),
    "pickle": b"\x80\x04K\x01." + bytes(20),
    "no metadata": file_of(array_of("F32", [1], 4), bytes(4)),
    "foreign metadata": file_of({}, minimixer="a page"),
    "a list": file_of({}, minimixer="[1, 2]"),
    "a number": file_of({}, minimixer="7"),
    "no version": file_of({}, minimixer="{}"),
    "version in words": file_of({}, minimixer='{"version": "two"}'),
    "version of a list": file_of({}, minimixer='{"version": [2]}'),
    "version 0": file_of({}, minimixer='{"version": 0}'),
    "no digest": file_of({}, minimixer='{"version": 2}'),
    "digest of a list": file_of({}, minimixer='{"version": 2, "digest": [1]}'),
    "brackets": file_of({}, minimixer="[" * 100_000),
    "digits": file_of({}, minimixer="9" * 100_000),
    "half precision that NumPy lacks": file_of(array_of("BF16", [2], 4), bytes(4), '{"version": 2}'),
    "eight bits that NumPy lacks": file_of(array_of("F8_E4M3", [4], 4), bytes(4), '{"version": 2}'),
    "too many axes": file_of(array_of("F32", [1] * 100, 4), bytes(4), '{"version": 2}'),
    "absurd empty shape": file_of(array_of("F32", [0, 2**62], 0), b"", '{"version": 2}'),
}


@pytest.mark.parametrize("content", NOT_CHECKPOINTS.values(), ids=NOT_CHECKPOINTS)
def test_other_files(path, content):
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a whole minimixer checkpoint") as caught:
        checkpoint.read(path)
    one_sentence(caught, path)


@pytest.mark.parametrize("content", [
    struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 99_999_999) + b"{}",
    file_of(array_of("F64", [2**40], 2**43), bytes(8), '{"version": 2}'),
    file_of(array_of("F64", [2**61, 8], 0), b"", '{"version": 2}'),
    file_of(array_of("F64", [2**61], 8), bytes(8), '{"version": 2}')])
def test_absurd_sizes_cost_no_memory(path, content):
    path.write_bytes(content)
    code = ("import resource, sys; from minimixer.train import checkpoint; from pathlib import Path\n"
            "import safetensors\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
            "resource.setrlimit(resource.RLIMIT_AS, (size + 2**26, size + 2**26))\n"
            "try: checkpoint.read(Path(sys.argv[1]))\n"
            "except checkpoint.CheckpointError: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)")
    pytest.importorskip("resource", reason="the limit on memory is POSIX's")
    if not Path("/proc/self/statm").exists():
        pytest.skip("the size of a process is read from /proc")
    result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 16_000          # KiB


def test_a_newer_version(path):
    path.write_bytes(file_of({}, minimixer='{"version": 3, "digest": "unknown"}'))
    with pytest.raises(CheckpointError, match="has format version 3, this minimixer reads up to 2: upgrade") as caught:
        checkpoint.read(path)
    one_sentence(caught, path)


def test_version_1_had_no_digest(path):
    path.write_bytes(file_of(array_of("F32", [1], 4), bytes(4), '{"version": 1, "step": 3}'))
    arrays, metadata = checkpoint.read(path)
    assert list(arrays) == ["model.x"]
    assert metadata == {"version": 1, "step": 3}


@pytest.mark.parametrize(("make", "message"), [
    (lambda path: None, "there is no checkpoint"),
    (Path.mkdir, "is a folder or a device"),
    pytest.param(lambda path: os.mkfifo(path), "is a folder or a device",
                 marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")),
    (lambda path: path.symlink_to("itself"), "there is no checkpoint"),
])
def test_no_file_in_its_place(path, make, message):
    path.unlink()
    make(path)
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoint.read(path)
    one_sentence(caught, path)


# Whole files that do not fit.

@pytest.mark.parametrize(("changes", "messages"), [
    ({"patch_size": 4}, ["has shape (4, 4), expected (16, 4)", "and"]),
    ({"num_blocks": 2}, ["blocks.1.", "is missing", "more"]),
    ({"num_classes": 4}, ["expected (4,)"]),
])
def test_of_another_model(path, changes, messages):
    model = small_model(1, **changes)
    before = model.state_dict()
    with pytest.raises(CheckpointError, match=r"does not fit this model.*the options the run was made with") as caught:
        checkpoint.load(path, model)
    text = one_sentence(caught, path)
    assert all(message in text for message in messages), text
    assert same(model.state_dict(), before)


def test_of_a_larger_model(path):
    checkpoint.save(path, small_model(num_blocks=3), None, {})
    with pytest.raises(CheckpointError, match=r"blocks\.1\.\S+ is not expected, .* and 21 more"):
        checkpoint.load(path, small_model())


@pytest.mark.parametrize(("saved", "message"), [
    (optim.SGD, r"optim\.velocity of another optimizer, expected optim\.m and optim\.v: give the --optimizer"),
    (None, r"holds weights only.*last\.safetensors")])
def test_of_another_optimizer(path, saved, message):
    model = small_model()
    checkpoint.save(path, model, saved and trained(model, saved), {})
    other = small_model(1)
    before, optimizer = other.state_dict(), trained(other, steps=0)
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoint.load(path, other, optimizer)
    one_sentence(caught, path)
    assert same(other.state_dict(), before)
    assert optimizer.step_count == 0
    checkpoint.load(path, other)        # the weights alone are fine
    assert same(other.state_dict(), model.state_dict())


# Writing that fails.

def save_anew(path):
    checkpoint.save(path, small_model(1), None, {"step": 8})


@pytest.mark.parametrize(("number", "advice"), [
    (errno.ENOSPC, "make room"), (errno.EDQUOT, "make room"), (errno.EROFS, "see that the folder may be written"),
    (errno.EACCES, "see that the folder may be written"), (errno.EIO, "see that the folder may be written")])
@pytest.mark.parametrize("where", ["builtins.open", "os.fsync", "os.replace"])
def test_a_write_that_fails_leaves_the_old_file(path, monkeypatch, where, number, advice):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(where, fail)
        with pytest.raises(CheckpointError) as caught:
            save_anew(path)
    text = one_sentence(caught, path)
    assert re.search(rf"could not be written \({os.strerror(number)}\): .* before is untouched; {advice}", text)
    assert path.read_bytes() == small_checkpoint()
    assert os.listdir(path.parent) == [path.name]
    save_anew(path)                     # the next one succeeds
    assert checkpoint.read(path)[1]["step"] == 8


def test_the_first_checkpoint_that_fails_says_that_there_is_none(path):
    path.unlink()
    path.mkdir()
    with pytest.raises(CheckpointError, match=r"could not be written \(Is a directory\): there was none before"):
        save_anew(path)


def test_a_folder_that_is_deleted_during_the_run(path):
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(CheckpointError, match="its folder is gone, and the checkpoints in it; start the run again"):
        save_anew(path)
    with pytest.raises(FileNotFoundError):              # any file may be written so, hence the plain error
        files.write_atomically(path, b"")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = sys.platform == "linux" and shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("this process may not mount a small tmpfs")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_really_full(small_disk):
    path = small_disk / "last.safetensors"
    path.write_bytes(small_checkpoint())
    filler = small_disk / "filler"
    filler.write_bytes(bytes(44 * 1024))
    with pytest.raises(CheckpointError, match=r"No space left on device.*untouched; make room") as caught:
        checkpoint.save(path, small_model(hidden_dim=200), None, {})
    one_sentence(caught, path)
    assert path.read_bytes() == small_checkpoint()
    assert sorted(os.listdir(small_disk)) == ["filler", path.name]
    filler.unlink()
    save_anew(path)
    assert checkpoint.read(path)[1]["step"] == 8


def test_a_disk_that_is_really_read_only(small_disk):
    path = small_disk / "last.safetensors"
    path.write_bytes(small_checkpoint())
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(CheckpointError, match=r"Read-only file system.*untouched; see that the folder may be written"):
        save_anew(path)
    assert path.read_bytes() == small_checkpoint()


def test_a_folder_without_permission_to_write(path):
    path.parent.chmod(0o500)
    try:
        if os.access(path.parent, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(CheckpointError, match=r"Permission denied.*untouched"):
            save_anew(path)
        assert path.read_bytes() == small_checkpoint()
    finally:
        path.parent.chmod(0o700)


@pytest.mark.parametrize("moment", ["os.fsync", "os.replace"])
def test_a_crash_between_write_and_rename(path, moment):
    """The process ends there and then, as in a power cut: no handler runs."""
    code = (f"import os, sys; from pathlib import Path; from minimixer import files\n"
            f"{moment} = lambda *args: os._exit(9)\n"
            f"files.write_atomically(Path(sys.argv[1]), bytes(5000))")
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == 9
    assert path.read_bytes() == small_checkpoint()
    leftovers = [p for p in path.parent.iterdir() if p != path]
    assert len(leftovers) == 2          # each under a name of its own
    (path.parent / "folder.tmp").mkdir()
    (path.parent / "metrics.jsonl").touch()
    assert owned.remove_leftovers(path.parent, ["another"]) == []
    assert owned.remove_leftovers(path.parent, [path.name]) == sorted(leftovers)
    assert {p.name for p in path.parent.iterdir()} == {path.name, "folder.tmp", "metrics.jsonl"}
    assert owned.remove_leftovers(path.parent, [path.name]) == []


def test_what_is_written_is_on_the_disk_before_it_takes_the_name(path, monkeypatch):
    calls = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("folder" if os.path.isdir(f"/proc/self/fd/{fd}")
                                                              else "file"), sync(fd)))
    monkeypatch.setattr(os, "replace", lambda *args: (calls.append("rename"), replace(*args)))
    save_anew(path)
    assert calls == (["file", "rename", "folder"] if Path("/proc/self/fd").exists() else ["file", "rename", "file"])


def test_a_folder_that_cannot_be_synced_is_no_failure(path, monkeypatch):
    monkeypatch.setattr(files.os, "open", lambda *args: (_ for _ in ()).throw(OSError(errno.EINVAL, "Invalid")))
    save_anew(path)
    assert checkpoint.read(path)[1]["step"] == 8


# As the command says it.

def test_the_command_says_one_sentence_and_keeps_everything(tmp_path, capsys):
    from tests.support.commands import train as main
    run, data = tmp_path / "run", tmp_path / "data"
    arguments = ["digits", "--model", "pico", "--workers", "1", "--out", str(run)]
    assert main([*arguments, "--max-steps", "1"]) == 0
    last = run / "last.safetensors"
    last.write_bytes(last.read_bytes()[:-1])
    data.mkdir()
    (data / "test_batch.bin").write_bytes(b"damaged")
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    capsys.readouterr()
    for command, code, words in [([*arguments, "--resume"], 1, "last.safetensors is not a whole minimixer checkpoint"),
                                 (["cifar10", "--data-dir", str(data), "--out", str(tmp_path / "new")], 3,
                                  "test_batch.bin is 7 bytes long")]:
        assert main(command) == code
        screen = capsys.readouterr().err
        assert words in screen
        assert screen.count("\n") == 1
        assert "Traceback" not in screen
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
